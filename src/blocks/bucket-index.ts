import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { isUlid } from '../tsdb/block/ulid.ts';
import type { BucketBlock } from './block-catalog.ts';
import { type Json, JsonReader } from './json-reader.ts';
import { META_FILE } from './layout.ts';
import { type BlockMeta, metaDocument, parseMeta } from './meta.ts';
import { SHARD_LABEL } from './shard-label.ts';

/** A block's `meta.json` as the index has it, and which object it was. */
export interface IndexedMeta {
  readonly meta: BlockMeta;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** What a bucket index says: `docs/format/bucket.md`. */
export interface BucketIndex {
  readonly updatedMs: number;
  /** By block. Those of an index that another program wrote are not in it. */
  readonly metas: ReadonlyMap<string, IndexedMeta>;
}

const FILE = 'bucket-index.json.gz';
const VERSION = 1;
const COMPRESSED_BYTES_MAX = 64 * 1024 * 1024;
const BYTES_MAX = 512 * 1024 * 1024;

export function bucketIndexKey(tenant: string): string {
  return `${tenant}/${FILE}`;
}

/** The index of a tenant; undefined when there is none. Throws `corrupt`. */
export async function readBucketIndex(
  ctx: BucketContext,
  bucket: Bucket,
  tenant: string,
): Promise<BucketIndex | undefined> {
  const key = bucketIndexKey(tenant);
  try {
    return await decodeBucketIndex(await bucket.get(ctx, key, COMPRESSED_BYTES_MAX), key);
  } catch (error) {
    if (error instanceof VeronaError && error.code === 'not_found') return undefined;
    throw error;
  }
}

/** Writes the index of a tenant for Cortex, Mimir and the next start. `whole` are all its blocks, also those that are marked. */
export async function writeBucketIndex(
  ctx: BucketContext,
  bucket: Bucket,
  tenant: string,
  whole: readonly BucketBlock[],
  nowMs: number,
): Promise<void> {
  await bucket.upload(ctx, bucketIndexKey(tenant), await encodeBucketIndex(whole, nowMs));
}

export async function encodeBucketIndex(whole: readonly BucketBlock[], nowMs: number): Promise<Uint8Array> {
  // Blocks in Thanos' layout lie elsewhere: who reads the index would look for them in the tenant's folder.
  const own = whole.filter(({ ref }) => ref.layout === 'tenant');
  // Cortex and Mimir know nothing of resolutions: they would take samples of five minutes for raw ones.
  const raw = own.filter(({ meta }) => meta.resolutionMs === 0);
  const coarser = own.filter(({ meta }) => meta.resolutionMs > 0);
  const index = {
    version: VERSION,
    blocks: raw.map(entryOf),
    block_deletion_marks: raw.flatMap(({ meta, marks }) =>
      marks.deletion ? [{ block_id: meta.ulid, deletion_time: toSeconds(marks.deletion.timeMs) }] : [],
    ),
    updated_at: toSeconds(nowMs),
    ...(coarser.length > 0 && { verona_coarser: coarser.map(entryOf) }),
  };
  return promisify(gzip)(JSON.stringify(index));
}

/** Throws `corrupt`, `too_large`. */
export async function decodeBucketIndex(data: Uint8Array, where: string): Promise<BucketIndex> {
  const reader = new JsonReader(where);
  const root = reader.object(reader.parse(await unzip(data, where)), 'document');
  const metas = new Map<string, IndexedMeta>();
  const coarser = reader.list(root.verona_coarser, 'verona_coarser');
  for (const value of [...reader.list(root.blocks, 'blocks'), ...coarser]) {
    const entry = reader.object(value, 'block');
    const ulid = reader.text(entry.block_id, 'block_id');
    if (!isUlid(ulid)) reader.fail('block_id names no block');
    if (entry.verona !== undefined) metas.set(ulid, parseOwn(reader, entry.verona, where, ulid));
  }
  return { updatedMs: reader.count(root.updated_at, 'updated_at') * 1000, metas };
}

/** What Cortex and Mimir read, by their names, and beside it, in a field that they pass over, what the catalog reads. */
function entryOf({ meta, sizes, uploadedMs }: BucketBlock): object {
  const segments = [...sizes.keys()].filter((path) => path.startsWith('chunks/')).sort();
  const isPlain = segments.length > 0 && segments.every((path, i) => path === segmentName(i + 1));
  return {
    block_id: meta.ulid,
    min_time: meta.mint,
    max_time: meta.maxt,
    ...(isPlain ? { segments_format: '1b6d', segments_num: segments.length } : {}),
    ...(meta.indexStats && {
      series_max_size: meta.indexStats.seriesMaxBytes,
      chunk_max_size: meta.indexStats.chunkMaxBytes,
    }),
    uploaded_at: toSeconds(uploadedMs),
    ...(meta.labels[SHARD_LABEL] !== undefined && { compactor_shard_id: meta.labels[SHARD_LABEL] }),
    ...(meta.source !== undefined && { source: meta.source }),
    compaction_level: meta.level,
    ...(meta.isOutOfOrder && { out_of_order: true }),
    labels: meta.labels,
    verona: { meta: metaDocument(meta), size: sizes.get(META_FILE) ?? 0, modified: uploadedMs },
  };
}

function parseOwn(reader: JsonReader, value: unknown, where: string, ulid: string): IndexedMeta {
  const own: Json = reader.object(value, 'verona');
  const document = new TextEncoder().encode(JSON.stringify(own.meta ?? null));
  return {
    meta: parseMeta(document, `${where}: ${ulid}`, ulid),
    sizeBytes: reader.count(own.size, 'verona.size'),
    modifiedMs: reader.count(own.modified, 'verona.modified'),
  };
}

async function unzip(data: Uint8Array, where: string): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(data, { maxOutputLength: BYTES_MAX });
  } catch (cause) {
    throw new VeronaError('corrupt', `${where}: ${(cause as Error).message}`, { cause });
  }
}

function segmentName(number: number): string {
  return `chunks/${String(number).padStart(6, '0')}`;
}

function toSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}
