import { VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import { isUlid } from './ulid.ts';

export interface BlockStats {
  readonly numSamples: number;
  readonly numFloatSamples?: number;
  readonly numHistogramSamples?: number;
  readonly numSeries: number;
  readonly numChunks: number;
  readonly numTombstones?: number;
}

export interface BlockDesc {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
}

export interface BlockCompaction {
  readonly level: number;
  /** The blocks made from samples (not from blocks) that are in here, sorted. */
  readonly sources: readonly string[];
  readonly parents?: readonly BlockDesc[];
  readonly deletable?: boolean;
  readonly failed?: boolean;
  readonly hints?: readonly string[];
}

/**
 * A block's `meta.json`. Samples are in `minTime … maxTime`, the end exclusive, ms. Sections of others, such as Thanos'
 * `thanos`, are kept as they are.
 */
export interface BlockMeta extends BlockDesc {
  readonly stats: BlockStats;
  readonly compaction: BlockCompaction;
  readonly version: 1;
  readonly thanos?: unknown;
}

export const META_FILE = 'meta.json';
/** A longer file is none of ours. */
const META_BYTES_MAX = 64 * 1024 * 1024;

/** Tab-indented JSON, as Prometheus writes it. */
export function encodeMeta(meta: BlockMeta): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(meta, undefined, '\t'));
}

/** Throws `corrupt`, naming what is wrong. */
export function decodeMeta(bytes: Uint8Array, path: string): BlockMeta {
  if (bytes.length > META_BYTES_MAX) throw new VeronaError('corrupt', `${path}: ${bytes.length} bytes`);
  let meta: Partial<BlockMeta>;
  try {
    meta = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Partial<BlockMeta>;
  } catch (cause) {
    throw new VeronaError('corrupt', `${path}: ${(cause as Error).message}`, { cause });
  }
  const wrong = findWrong(meta);
  if (wrong) throw new VeronaError('corrupt', `${path}: ${wrong}`);
  const { numSamples = 0, numSeries = 0, numChunks = 0 } = meta.stats ?? {};
  return { ...(meta as BlockMeta), stats: { ...meta.stats, numSamples, numSeries, numChunks } };
}

export async function readMeta(disk: Disk, blockDir: string): Promise<BlockMeta> {
  const path = `${blockDir}/${META_FILE}`;
  return decodeMeta(await disk.readFile(path), path);
}

export async function writeMeta(disk: Disk, blockDir: string, meta: BlockMeta): Promise<void> {
  await disk.writeFileAtomic(`${blockDir}/${META_FILE}`, encodeMeta(meta));
}

function findWrong(meta: Partial<BlockMeta> | null): string | undefined {
  if (typeof meta !== 'object' || meta === null) return 'not an object';
  if (meta.version !== 1) return `unexpected version ${meta.version}`;
  if (typeof meta.ulid !== 'string' || !isUlid(meta.ulid)) return `bad ulid ${JSON.stringify(meta.ulid)}`;
  if (!Number.isSafeInteger(meta.minTime) || !Number.isSafeInteger(meta.maxTime))
    return 'minTime or maxTime missing';
  if (meta.minTime! > meta.maxTime!) return `minTime ${meta.minTime} after maxTime ${meta.maxTime}`;
  if (typeof meta.stats !== 'object' && meta.stats !== undefined) return 'stats is not an object';
  if (!Number.isInteger(meta.compaction?.level)) return 'compaction level missing';
  const sources: unknown = meta.compaction?.sources ?? [];
  if (!Array.isArray(sources) || sources.some((source) => typeof source !== 'string'))
    return 'bad compaction sources';
  return undefined;
}
