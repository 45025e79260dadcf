import { VeronaError } from '../model/errors.ts';
import { isUlid } from '../tsdb/block/ulid.ts';

/** One file of a block as Thanos lists it. `meta.json` itself has no size. */
export interface BlockFile {
  readonly relPath: string;
  readonly sizeBytes: number;
}

/** What is read of a `meta.json` in the bucket. Times are ms; a block holds mint ≤ t < maxt. */
export interface BlockMeta {
  readonly ulid: string;
  readonly mint: number;
  /** Exclusive, as in the file. */
  readonly maxt: number;
  readonly level: number;
  readonly sources: readonly string[];
  readonly seriesCount: number;
  readonly chunkCount: number;
  /** External labels of Thanos' section; empty without one. */
  readonly labels: Readonly<Record<string, string>>;
  /** 0 is raw; otherwise the spacing of downsampled data, ms. */
  readonly resolutionMs: number;
  /** As `thanos.files` has them; empty when the uploader did not say. */
  readonly files: readonly BlockFile[];
}

export const META_SIZE_BYTES_MAX = 16 * 1024 * 1024;
const META_VERSION = 1;

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a `meta.json` (`docs/format/bucket.md`). Throws `corrupt` naming `where` and what is wrong; unknown fields are
 * fine. `expectedUlid` is the folder it lies in.
 */
export function parseMeta(data: Uint8Array, where: string, expectedUlid: string): BlockMeta {
  const reader = new JsonReader(where);
  const root = reader.object(reader.parse(data), 'document');
  if (root.version !== META_VERSION)
    reader.fail(`version is ${show(root.version)}, only ${META_VERSION} is known`);
  const ulid = reader.text(root.ulid, 'ulid');
  if (!isUlid(ulid) || ulid !== expectedUlid)
    reader.fail(`ulid is ${show(ulid)} in the folder of ${expectedUlid}`);
  const mint = reader.integer(root.minTime, 'minTime');
  const maxt = reader.integer(root.maxTime, 'maxTime');
  if (maxt < mint) reader.fail(`maxTime ${maxt} is before minTime ${mint}`);
  const stats = reader.object(root.stats ?? {}, 'stats');
  const compaction = reader.object(root.compaction ?? {}, 'compaction');
  const thanos = reader.object(root.thanos ?? {}, 'thanos');
  return {
    ulid,
    mint,
    maxt,
    level: reader.count(compaction.level, 'compaction.level'),
    sources: reader
      .list(compaction.sources, 'compaction.sources')
      .map((source) => reader.text(source, 'source')),
    seriesCount: reader.count(stats.numSeries, 'stats.numSeries'),
    chunkCount: reader.count(stats.numChunks, 'stats.numChunks'),
    labels: reader.texts(thanos.labels, 'thanos.labels'),
    resolutionMs: reader.count(
      reader.object(thanos.downsample ?? {}, 'thanos.downsample').resolution,
      'resolution',
    ),
    files: reader.list(thanos.files, 'thanos.files').map((file) => toFile(reader, file)),
  };
}

/** Why a block is out of use, and since when. */
export interface DeletionMark {
  readonly ulid: string;
  /** ms. */
  readonly deletedMs: number;
}

/** Reads a `deletion-mark.json`. Throws `corrupt`. */
export function parseDeletionMark(data: Uint8Array, where: string): DeletionMark {
  const reader = new JsonReader(where);
  const root = reader.object(reader.parse(data), 'document');
  if (root.version !== META_VERSION)
    reader.fail(`version is ${show(root.version)}, only ${META_VERSION} is known`);
  const ulid = reader.text(root.id, 'id');
  if (!isUlid(ulid)) reader.fail(`id ${show(ulid)} names no block`);
  return { ulid, deletedMs: reader.integer(root.deletion_time, 'deletion_time') * 1000 };
}

/** What the shipper adds to a block's `meta.json`. */
export interface ThanosSection {
  readonly labels: Readonly<Record<string, string>>;
  /** Without `meta.json`, which is added. */
  readonly files: readonly BlockFile[];
}

/**
 * The `meta.json` of a local block with Thanos' section in it, as it goes to the bucket: everything that was there is
 * kept. Throws `corrupt` when the local one is no JSON object.
 */
export function withThanosSection(local: Uint8Array, where: string, section: ThanosSection): Uint8Array {
  const reader = new JsonReader(where);
  const root = reader.object(reader.parse(local), 'document');
  const files = [
    ...section.files.map(({ relPath, sizeBytes }) => ({ rel_path: relPath, size_bytes: sizeBytes })),
  ];
  const thanos = {
    version: META_VERSION,
    labels: section.labels,
    downsample: { resolution: 0 },
    source: 'receive',
    files: [...files, { rel_path: 'meta.json' }],
    index_stats: {},
  };
  return new TextEncoder().encode(`${JSON.stringify({ ...root, thanos }, null, '\t')}\n`);
}

function toFile(reader: JsonReader, value: unknown): BlockFile {
  const file = reader.object(value, 'thanos.files entry');
  return {
    relPath: reader.text(file.rel_path, 'thanos.files rel_path'),
    sizeBytes: reader.count(file.size_bytes, 'thanos.files size_bytes'),
  };
}

/** Takes a JSON document apart, or says what is wrong with it. */
class JsonReader {
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  parse(data: Uint8Array): unknown {
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
    } catch (cause) {
      throw new VeronaError('corrupt', `${this.#where}: not JSON in UTF-8`, { cause });
    }
  }

  fail(text: string): never {
    throw new VeronaError('corrupt', `${this.#where}: ${text}`);
  }

  object(value: unknown, name: string): Json {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      this.fail(`${name} is no object`);
    return value as Json;
  }

  text(value: unknown, name: string): string {
    return typeof value === 'string' ? value : this.fail(`${name} is ${show(value)}, not a text`);
  }

  integer(value: unknown, name: string): number {
    return Number.isSafeInteger(value)
      ? (value as number)
      : this.fail(`${name} is ${show(value)}, not an integer`);
  }

  /** Go writes no field for 0. */
  count(value: unknown, name: string): number {
    const count = value === undefined || value === null ? 0 : this.integer(value, name);
    return count >= 0 ? count : this.fail(`${name} is ${count}`);
  }

  list(value: unknown, name: string): readonly unknown[] {
    if (value === undefined || value === null) return [];
    return Array.isArray(value) ? value : this.fail(`${name} is no list`);
  }

  texts(value: unknown, name: string): Readonly<Record<string, string>> {
    const entries = Object.entries(this.object(value ?? {}, name));
    return Object.fromEntries(entries.map(([key, text]) => [key, this.text(text, `${name}.${key}`)]));
  }
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 60);
}
