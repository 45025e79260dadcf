import { isUlid } from '../tsdb/block/ulid.ts';
import { FROM_OUT_OF_ORDER } from '../tsdb/compact/late-blocks.ts';
import { lineageOf } from './changes.ts';
import { type Json, JsonReader, show } from './json-reader.ts';

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
  /** The blocks of first hand that it was made of (`compaction.sources`); empty when nobody says. */
  readonly sources: readonly string[];
  /** When samples of each source can lie (`thanos.extensions`): mint and maxt (exclusive), in the order of `sources`; when it is known. */
  readonly sourceTimes?: readonly number[];
  /** What was changed in it since (`changes.ts`); absent for nothing. */
  readonly changes?: readonly string[];
  readonly seriesCount: number;
  readonly chunkCount: number;
  /** External labels of Thanos' section; empty without one. */
  readonly labels: Readonly<Record<string, string>>;
  /** 0 is raw; otherwise the spacing of downsampled data, ms. */
  readonly resolutionMs: number;
  /** As `thanos.files` has them; empty when the uploader did not say. */
  readonly files: readonly BlockFile[];
  /** Deletion requests that were applied when the block was written, by id (`thanos.rewrites`). */
  readonly appliedDeletions: readonly string[];
  /** Who made the block, in Thanos' words; absent when it is not said. */
  readonly source?: string;
  /** Made of late samples only (`compaction.hints`). */
  readonly isOutOfOrder?: boolean;
  /** The largest series entry and chunk, when whoever made the block said. */
  readonly indexStats?: IndexStats;
  /** The only replica that a joined block is of, which lost its label (`thanos.extensions`). */
  readonly replica?: string;
}

/** Bytes, for readers that fetch before they know a length; 0 when it is not known. */
export interface IndexStats {
  readonly seriesMaxBytes: number;
  readonly chunkMaxBytes: number;
}

export const META_SIZE_BYTES_MAX = 16 * 1024 * 1024;
export const META_VERSION = 1;
const SEGMENTS = 'chunks/';
/**
 * What Thanos' section says of a block that only Verona looks at. Thanos and Cortex give what they join the extensions of any block
 * with the same labels, so that each says whom it is of.
 */
const REPLICA_EXTENSION = 'verona_replica';
const TIMES_EXTENSION = 'verona_source_times';

/**
 * Reads a `meta.json` (`docs/format/bucket.md`). Throws `corrupt` naming `where` and what is wrong; unknown fields are
 * fine. `expectedUlid` is the folder it lies in.
 */
export function parseMeta(data: Uint8Array, where: string, expectedUlid: string): BlockMeta {
  const reader = new JsonReader(where);
  const root = reader.document(data);
  const ulid = reader.text(root.ulid, 'ulid');
  if (!isUlid(ulid) || ulid !== expectedUlid)
    reader.fail(`ulid is ${show(ulid)} in the folder of ${expectedUlid}`);
  const mint = reader.integer(root.minTime, 'minTime');
  const maxt = reader.integer(root.maxTime, 'maxTime');
  if (maxt < mint) reader.fail(`maxTime ${maxt} is before minTime ${mint}`);
  const stats = reader.object(root.stats ?? {}, 'stats');
  const compaction = reader.object(root.compaction ?? {}, 'compaction');
  const thanos = reader.object(root.thanos ?? {}, 'thanos');
  // The first writers of the section gave it no version.
  const version = reader.count(thanos.version, 'thanos.version');
  if (version > META_VERSION) reader.fail(`thanos.version is ${version}, only 1 is known`);
  const lineage = lineageIn(reader, compaction, thanos);
  const sourceTimes = sourceTimesIn(thanos.extensions, lineage.sources, mint, maxt);
  return {
    ...optionalFields(reader, ulid, compaction, thanos),
    ulid,
    mint,
    maxt,
    level: reader.count(compaction.level, 'compaction.level'),
    ...lineage,
    ...(sourceTimes && { sourceTimes }),
    seriesCount: reader.count(stats.numSeries, 'stats.numSeries'),
    chunkCount: reader.count(stats.numChunks, 'stats.numChunks'),
    labels: reader.texts(thanos.labels, 'thanos.labels'),
    resolutionMs: reader.count(
      reader.object(thanos.downsample ?? {}, 'thanos.downsample').resolution,
      'resolution',
    ),
    files: reader.list(thanos.files, 'thanos.files').map((file) => toFile(reader, file)),
    appliedDeletions: appliedDeletions(reader, thanos.rewrites),
  };
}

function lineageIn(
  reader: JsonReader,
  compaction: Json,
  { rewrites }: Json,
): Pick<BlockMeta, 'sources' | 'changes'> {
  const namesIn = (value: unknown) =>
    reader.list(value, 'sources').map((source) => reader.text(source, 'source'));
  const earlier = reader
    .list(rewrites, 'thanos.rewrites')
    .map((rewrite) => namesIn(reader.object(rewrite, 'thanos.rewrites entry').sources));
  const { sources, changes } = lineageOf(namesIn(compaction.sources), earlier);
  return { sources, ...(changes.length > 0 && { changes }) };
}

/** What not every block says; nothing stands for what is not said. */
function optionalFields(
  reader: JsonReader,
  ulid: string,
  { hints }: Json,
  { source, index_stats, extensions }: Json,
): Pick<BlockMeta, 'source' | 'isOutOfOrder' | 'indexStats' | 'replica'> {
  const stats = reader.object(index_stats ?? {}, 'thanos.index_stats');
  const seriesMaxBytes = reader.count(stats.series_max_size, 'series_max_size');
  const chunkMaxBytes = reader.count(stats.chunk_max_size, 'chunk_max_size');
  const said = reader.optionalText(source, 'thanos.source');
  const replica = replicaIn(extensions, ulid);
  return {
    ...(said !== '' && { source: said }),
    ...(reader.list(hints, 'compaction.hints').includes(FROM_OUT_OF_ORDER) && { isOutOfOrder: true }),
    ...(seriesMaxBytes + chunkMaxBytes > 0 && { indexStats: { seriesMaxBytes, chunkMaxBytes } }),
    ...(replica !== undefined && { replica }),
  };
}

/** Others may write there what they like. */
function replicaIn(extensions: unknown, ulid: string): string | undefined {
  const said: unknown = (extensions as Json | undefined)?.[REPLICA_EXTENSION];
  const value: unknown = (said as Json | undefined)?.[ulid];
  return typeof value === 'string' ? value : undefined;
}

/** Undefined when nothing is said of any of `sources`. What is no time is passed over. */
function sourceTimesIn(
  extensions: unknown,
  sources: readonly string[],
  mint: number,
  maxt: number,
): number[] | undefined {
  const said: unknown = (extensions as Json | undefined)?.[TIMES_EXTENSION];
  if (typeof said !== 'object' || said === null) return undefined;
  const times = sources.map((source) => extentOf((said as Json)[source]));
  if (times.every((time) => time === undefined)) return undefined;
  return times.flatMap((time) => time ?? [mint, maxt]);
}

function extentOf(value: unknown): readonly [number, number] | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [mint, maxt]: unknown[] = value;
  const isExtent = Number.isSafeInteger(mint) && Number.isSafeInteger(maxt) && Number(mint) < Number(maxt);
  return isExtent ? [Number(mint), Number(maxt)] : undefined;
}

/** A document that `parseMeta` reads as the same: for lists of metas, not for a block. */
export function metaDocument(meta: BlockMeta): object {
  return {
    ulid: meta.ulid,
    minTime: meta.mint,
    maxTime: meta.maxt,
    version: META_VERSION,
    stats: { numSeries: meta.seriesCount, numChunks: meta.chunkCount },
    compaction: {
      level: meta.level,
      sources: [...meta.sources, ...(meta.changes ?? [])],
      ...(meta.isOutOfOrder && { hints: [FROM_OUT_OF_ORDER] }),
    },
    thanos: {
      labels: meta.labels,
      ...(meta.source !== undefined && { source: meta.source }),
      ...(meta.indexStats && { index_stats: statsDocument(meta.indexStats) }),
      ...extensionsOf(meta.ulid, meta.replica, timesBySource(meta)),
      downsample: { resolution: meta.resolutionMs },
      files: meta.files.map(({ relPath, sizeBytes }) => ({ rel_path: relPath, size_bytes: sizeBytes })),
      ...(meta.appliedDeletions.length > 0 && {
        rewrites: [{ deletions_applied: meta.appliedDeletions.map((id) => ({ request_id: id })) }],
      }),
    },
  };
}

/** What the shipper adds to a block's `meta.json`. */
export interface ThanosSection {
  readonly labels: Readonly<Record<string, string>>;
  /** Without `meta.json`, which is added. */
  readonly files: readonly BlockFile[];
  /** Who made the block: `receive` when not given. */
  readonly source?: string;
  /** 0 (raw) when not given. */
  readonly resolutionMs?: number;
  /** Thanos' list of what was changed in the block, with the deletion requests that hold for it. */
  readonly rewrites?: readonly unknown[];
  /** When it is known. */
  readonly indexStats?: IndexStats;
  /** The only replica that the block is of, when its labels do not say so any more. */
  readonly replica?: string;
  /** When samples of a source can lie, by source, where that is not the whole time of the block. */
  readonly sourceTimes?: SourceTimes | undefined;
}

/** mint and maxt (exclusive), ms. */
type SourceTimes = Readonly<Record<string, readonly [number, number]>>;

/**
 * The `meta.json` of a local block with Thanos' section in it, as it goes to the bucket: everything that was there is
 * kept. Throws `corrupt` when the local one is no JSON object.
 */
export function withThanosSection(local: Uint8Array, where: string, section: ThanosSection): Uint8Array {
  const reader = new JsonReader(where);
  const root = reader.object(reader.parse(local), 'document');
  const thanos = {
    version: META_VERSION,
    labels: section.labels,
    downsample: { resolution: section.resolutionMs ?? 0 },
    source: section.source ?? 'receive',
    ...filesOf(section.files),
    index_stats: section.indexStats ? statsDocument(section.indexStats) : {},
    ...(section.rewrites && { rewrites: section.rewrites }),
    ...extensionsOf(root.ulid, section.replica, section.sourceTimes),
  };
  return new TextEncoder().encode(`${JSON.stringify({ ...root, thanos }, null, '\t')}\n`);
}

/** A `meta.json` that says in addition what was changed in the block; everything else in it stays. Throws `corrupt`. */
export function withRewrites(data: Uint8Array, where: string, rewrites: readonly unknown[]): Uint8Array {
  const reader = new JsonReader(where);
  const root = reader.object(reader.parse(data), 'document');
  const thanos = reader.object(root.thanos ?? { version: META_VERSION, labels: {} }, 'thanos');
  const all = [...reader.list(thanos.rewrites, 'thanos.rewrites'), ...rewrites];
  const text = JSON.stringify({ ...root, thanos: { ...thanos, rewrites: all } }, null, '\t');
  return new TextEncoder().encode(`${text}\n`);
}

/** A `meta.json` with other counts and another list of files; everything else in it stays. Throws `corrupt`. */
export function withCounts(
  original: Uint8Array,
  where: string,
  stats: object,
  files: readonly BlockFile[],
): Uint8Array {
  const reader = new JsonReader(where);
  const root = reader.object(reader.parse(original), 'document');
  const { numTombstones } = reader.object(root.stats ?? {}, 'stats');
  const thanos = reader.object(root.thanos ?? {}, 'thanos');
  const document = {
    ...root,
    stats: { ...stats, ...(numTombstones !== undefined && { numTombstones }) },
    thanos: {
      version: META_VERSION,
      labels: {},
      downsample: { resolution: 0 },
      source: '',
      ...thanos,
      ...filesOf(files),
    },
  };
  return new TextEncoder().encode(`${JSON.stringify(document, null, '\t')}\n`);
}

/** As Thanos has it: ordered by path, `meta.json` without a size; and once more the chunk files, as it was before 0.17. */
function filesOf(files: readonly BlockFile[]): { segment_files: string[]; files: object[] } {
  const list = files.map(({ relPath, sizeBytes }) => ({ rel_path: relPath, size_bytes: sizeBytes }));
  const all = [...list, { rel_path: 'meta.json' }].sort((a, b) => (a.rel_path < b.rel_path ? -1 : 1));
  const segments = all.filter(({ rel_path }) => rel_path.startsWith(SEGMENTS));
  return { segment_files: segments.map(({ rel_path }) => rel_path.slice(SEGMENTS.length)), files: all };
}

function extensionsOf(
  ulid: unknown,
  replica: string | undefined,
  times: SourceTimes | undefined,
): { extensions?: object } {
  const extensions = {
    ...(replica !== undefined && { [REPLICA_EXTENSION]: { [String(ulid)]: replica } }),
    ...(times !== undefined && { [TIMES_EXTENSION]: times }),
  };
  return Object.keys(extensions).length > 0 ? { extensions } : {};
}

function timesBySource({ sources, sourceTimes }: BlockMeta): SourceTimes | undefined {
  if (!sourceTimes) return undefined;
  return Object.fromEntries(
    sources.map((source, i) => [source, [sourceTimes[2 * i], sourceTimes[2 * i + 1]]]),
  );
}

function statsDocument({ seriesMaxBytes, chunkMaxBytes }: IndexStats): object {
  return { series_max_size: seriesMaxBytes, chunk_max_size: chunkMaxBytes };
}

/**
 * The `meta.json` of a block that is copied, with other external labels: everything else is kept, and what Thanos wants is
 * added when it was not there. Throws `corrupt` when it is no JSON object.
 */
export function withLabels(
  original: Uint8Array,
  where: string,
  labels: Readonly<Record<string, string>>,
  files: readonly BlockFile[],
): Uint8Array {
  const reader = new JsonReader(where);
  const root = reader.object(reader.parse(original), 'document');
  const thanos = {
    version: META_VERSION,
    downsample: { resolution: 0 },
    source: 'bucket.upload',
    index_stats: {},
    ...reader.object(root.thanos ?? {}, 'thanos'),
    labels,
    ...filesOf(files),
  };
  return new TextEncoder().encode(`${JSON.stringify({ ...root, thanos }, null, '\t')}\n`);
}

function appliedDeletions(reader: JsonReader, rewrites: unknown): string[] {
  const applied = reader
    .list(rewrites, 'thanos.rewrites')
    .map((rewrite) => reader.object(rewrite, 'thanos.rewrites entry').deletions_applied)
    .flatMap((deletions) => reader.list(deletions, 'deletions_applied'))
    .map((deletion) => reader.object(deletion, 'deletions_applied entry').request_id);
  return [...new Set(applied.filter((id) => id !== undefined).map((id) => reader.text(id, 'request_id')))];
}

function toFile(reader: JsonReader, value: unknown): BlockFile {
  const file = reader.object(value, 'thanos.files entry');
  return {
    relPath: reader.text(file.rel_path, 'thanos.files rel_path'),
    sizeBytes: reader.count(file.size_bytes, 'thanos.files size_bytes'),
  };
}
