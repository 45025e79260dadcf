import { type BlockRef, INDEX_FILE } from '../blocks/layout.ts';
import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';
import { checkIndexHeader, decodeToc, INDEX_HEADER_BYTES, TOC_BYTES } from '../tsdb/index/index-format.ts';
import { ByteCache } from './byte-cache.ts';
import { encodeIndexHeader, IndexHeader } from './index-header.ts';

export interface HeaderStoreDeps {
  readonly bucket: Bucket;
  readonly disk: Disk;
  readonly log: Logger;
}

const HEADER_FILE = 'index-header';
/** Symbols and postings offsets of one block beyond this are refused: they are held in memory. */
const SECTION_BYTES_MAX = 1024 ** 3;

/** Index-headers of blocks: in memory up to a size, else from the local disk, else made from the bucket. */
export class HeaderStore {
  readonly #dir: string;
  readonly #deps: HeaderStoreDeps;
  readonly #memory: ByteCache<IndexHeader>;
  readonly #loading = new Map<string, Promise<IndexHeader>>();

  /** `dir` is a cache: it may be emptied at any time, and several processes or threads may share it. */
  constructor(dir: string, memoryBytesMax: number, deps: HeaderStoreDeps) {
    this.#dir = dir;
    this.#deps = deps;
    this.#memory = new ByteCache(memoryBytesMax);
  }

  /** The header of a block, with its index' size when that is known. Callers at once share one load. */
  async load(ctx: BucketContext, block: BlockRef, indexSizeBytes?: number): Promise<IndexHeader> {
    const id = `${block.tenant}/${block.ulid}`;
    const known = this.#memory.get(id);
    if (known) return known;
    const loading = this.#loading.get(id);
    // A load that another caller cancelled is no answer to this one.
    if (loading) return loading.catch(() => this.load(ctx, block, indexSizeBytes));
    const started = this.#read(ctx, block, indexSizeBytes);
    this.#loading.set(id, started);
    try {
      const header = await started;
      this.#memory.set(id, header, header.sizeBytes);
      return header;
    } finally {
      this.#loading.delete(id);
    }
  }

  async #read(ctx: BucketContext, block: BlockRef, size: number | undefined): Promise<IndexHeader> {
    const path = `${this.#dir}/${block.tenant}/${block.ulid}/${HEADER_FILE}`;
    return (await this.#fromDisk(path)) ?? this.#fromBucket(ctx, block, size, path);
  }

  async #fromDisk(path: string): Promise<IndexHeader | undefined> {
    const { disk, log } = this.#deps;
    if (!(await disk.stat(path))) return undefined;
    try {
      return new IndexHeader(await disk.readFile(path), path);
    } catch (error) {
      log.warn('a cached index-header is broken and is made again', { error: (error as Error).message });
      return undefined;
    }
  }

  async #fromBucket(
    ctx: BucketContext,
    { tenant, ulid, folder }: BlockRef,
    size: number | undefined,
    path: string,
  ): Promise<IndexHeader> {
    const { bucket, disk, log } = this.#deps;
    const key = `${folder}/${INDEX_FILE}`;
    const bytes = await fetchHeader(bucket, ctx, key, size ?? (await bucket.attributes(ctx, key)).sizeBytes);
    const header = new IndexHeader(bytes, key);
    try {
      await disk.makeDir(`${this.#dir}/${tenant}/${ulid}`);
      await disk.writeFileAtomic(path, bytes);
    } catch (error) {
      log.warn('an index-header was not cached', { path, error: (error as Error).message });
    }
    return header;
  }
}

/** Removes a tenant's cached headers of other blocks than `ulids`; a query that still has one in memory goes on. */
export async function retainHeaders(
  disk: Disk,
  dir: string,
  tenant: string,
  ulids: ReadonlySet<string>,
): Promise<void> {
  for (const { name } of await disk.list(`${dir}/${tenant}`))
    if (!ulids.has(name)) await disk.remove(`${dir}/${tenant}/${name}`);
}

/** Removes what interrupted writes left in a cache of index-headers. Before anybody uses it: they look like writes under way. */
export async function removeUnfinishedHeaders(disk: Disk, dir: string): Promise<void> {
  for (const tenant of await foldersIn(disk, dir))
    for (const block of await foldersIn(disk, tenant))
      for (const { name } of await disk.list(block))
        if (name.endsWith('.tmp')) await disk.remove(`${block}/${name}`);
}

async function foldersIn(disk: Disk, dir: string): Promise<string[]> {
  return (await disk.list(dir)).filter((entry) => entry.isDirectory).map(({ name }) => `${dir}/${name}`);
}

/** Three reads: the table of contents, the symbols, the postings offsets. */
async function fetchHeader(
  bucket: Bucket,
  ctx: BucketContext,
  key: string,
  indexSize: number,
): Promise<Uint8Array> {
  if (indexSize < TOC_BYTES) throw new VeronaError('corrupt', `${key}: ${indexSize} bytes are no index`);
  const toc = decodeToc(await bucket.getRange(ctx, key, indexSize - TOC_BYTES, TOC_BYTES), key);
  const { symbols, series, postingsOffsetTable: table } = toc;
  const ordered =
    symbols >= INDEX_HEADER_BYTES && symbols + 4 < series && series <= table && table < indexSize - TOC_BYTES;
  if (!ordered) throw new VeronaError('corrupt', `${key}: sections at ${symbols}, ${series} and ${table}`);
  const [head, offsets] = await Promise.all([
    fetchSection(bucket, ctx, key, 0, series),
    fetchSection(bucket, ctx, key, table, indexSize - TOC_BYTES),
  ]);
  checkIndexHeader(head, key);
  return encodeIndexHeader(trimSection(head.subarray(symbols)), trimSection(offsets), table);
}

async function fetchSection(
  bucket: Bucket,
  ctx: BucketContext,
  key: string,
  start: number,
  end: number,
): Promise<Uint8Array> {
  if (end - start > SECTION_BYTES_MAX)
    throw new VeronaError(
      'too_large',
      `section of ${end - start} bytes, at most ${SECTION_BYTES_MAX} are read`,
    );
  const bytes = await bucket.getRange(ctx, key, start, end - start);
  if (bytes.length < end - start) throw new VeronaError('corrupt', `${key}: ends at ${start + bytes.length}`);
  return bytes;
}

/** A section without the padding behind it; one that is cut off stays so, and is found when the header is read. */
function trimSection(bytes: Uint8Array): Uint8Array {
  return bytes.length < 4 ? bytes : bytes.subarray(0, 4 + new ByteReader(bytes).be32() + 4);
}
