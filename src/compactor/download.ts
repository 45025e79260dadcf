import { type BlockRef, INDEX_FILE, META_FILE } from '../blocks/layout.ts';
import { type BlockMeta, parseMeta } from '../blocks/meta.ts';
import { VeronaError, wrapError } from '../model/errors.ts';
import { assertNotAborted, type Bucket, type BucketContext } from '../objstore/bucket.ts';
import type { Disk } from '../platform/disk.ts';
import { BlockFault } from '../tsdb/compact/merge-source.ts';
import type { JobBlock } from './job.ts';

/** Of a block that does not say which files it has. */
const CHUNK_FILES_MAX = 10_000;
const PIECE_BYTES = 4 * 1024 * 1024;
/** What a merge reads of a block. Marks and what others put beside a block stay where they are. */
const ALL_FILES = /^(meta\.json|index|tombstones|chunks\/\d{6})$/;
/** What tells which series and chunks there are. */
export const FILES_WITHOUT_CHUNKS = /^(meta\.json|index|tombstones)$/;

/**
 * Fetches a block from the bucket into the folder `dir`. A file shorter than its listing said is a `BlockFault`. One that the
 * listing did not show and the block should have is asked for: a listing that lags behind makes no block a damaged one.
 */
export async function downloadBlock(
  ctx: BucketContext,
  bucket: Bucket,
  disk: Disk,
  block: Pick<JobBlock, 'ref' | 'sizes'>,
  dir: string,
  files = ALL_FILES,
): Promise<void> {
  const { ref, sizes } = block;
  const download = (file: string, sizeBytes: number) =>
    downloadFile(ctx, bucket, disk, `${ref.folder}/${file}`, `${dir}/${file}`, sizeBytes).catch(
      (error: unknown) => {
        throw isShort(error) ? BlockFault.because(ref.ulid, error) : wrapError('download', error);
      },
    );
  await disk.makeDir(`${dir}/chunks`);
  const found = new Map([...sizes].filter(([file]) => files.test(file)));
  if (!found.has(META_FILE)) await find(ctx, bucket, ref, META_FILE, found);
  const metaBytes = found.get(META_FILE);
  if (metaBytes !== undefined) await download(META_FILE, metaBytes);
  const meta = metaBytes === undefined ? undefined : await readMeta(disk, dir, ref.ulid);
  for (const file of expectedFiles(meta, sizes))
    if (files.test(file) && !found.has(file)) await find(ctx, bucket, ref, file, found);
  for (const [file, sizeBytes] of found) await download(file, sizeBytes);
}

async function find(
  ctx: BucketContext,
  bucket: Bucket,
  { folder }: BlockRef,
  file: string,
  found: Map<string, number>,
): Promise<void> {
  try {
    found.set(file, (await bucket.attributes(ctx, `${folder}/${file}`)).sizeBytes);
  } catch (error) {
    if (!(error instanceof VeronaError && error.code === 'not_found')) throw wrapError('download', error);
  }
}

/** Undefined when it is broken, of which whoever opens the block tells. */
async function readMeta(disk: Disk, dir: string, ulid: string): Promise<BlockMeta | undefined> {
  try {
    return parseMeta(await disk.readFile(`${dir}/${META_FILE}`), META_FILE, ulid);
  } catch (error) {
    if (error instanceof VeronaError && error.code === 'corrupt') return undefined;
    throw error;
  }
}

/** What the block says it has; when it says nothing, an index, and chunk files up to the one after the last that was listed. */
function expectedFiles(meta: BlockMeta | undefined, sizes: ReadonlyMap<string, number>): readonly string[] {
  if (meta && meta.files.length > 0) return meta.files.map(({ relPath }) => relPath);
  const numbers = [...sizes.keys()].map((file) => Number(/^chunks\/(\d{6})$/.exec(file)?.[1] ?? 0));
  const last = Math.max(0, ...numbers);
  const chunks = Array.from({ length: Math.min(last + 1, CHUNK_FILES_MAX) }, (_, i) => i + 1);
  return [INDEX_FILE, ...chunks.map((number) => `chunks/${String(number).padStart(6, '0')}`)];
}

async function downloadFile(
  ctx: BucketContext,
  bucket: Bucket,
  disk: Disk,
  key: string,
  path: string,
  sizeBytes: number,
): Promise<void> {
  if (await disk.stat(path)) return;
  if (await link(ctx, bucket, disk, key, path, sizeBytes)) return;
  const file = await disk.open(path, 'create');
  try {
    for (let offset = 0; offset < sizeBytes; ) {
      assertNotAborted(ctx, `download ${key}`);
      const bytes = await bucket.getRange(ctx, key, offset, Math.min(PIECE_BYTES, sizeBytes - offset));
      if (bytes.length === 0)
        throw new VeronaError('corrupt', `${key}: ends at ${offset} of ${sizeBytes} bytes`);
      await file.writeAt([bytes], offset);
      offset += bytes.length;
    }
  } finally {
    await file.close();
  }
}

/** A file of this disk needs no copy: jobs only read their sources, and a copy of all of them is a quarter of what a job takes. */
async function link(
  ctx: BucketContext,
  bucket: Bucket,
  disk: Disk,
  key: string,
  path: string,
  sizeBytes: number,
): Promise<boolean> {
  if (!(await bucket.link?.(ctx, key, path))) return false;
  const found = await disk.stat(path);
  if (found?.sizeBytes === sizeBytes) return true;
  if (found) await disk.remove(path);
  return false;
}

function isShort(error: unknown): boolean {
  return error instanceof VeronaError && error.code === 'corrupt';
}
