import { VeronaError } from '../model/errors.ts';
import type { Disk } from '../platform/disk.ts';
import type { Block } from './block/block.ts';
import { FROM_OUT_OF_ORDER } from './compact/late-blocks.ts';
import { decodeSamples } from './head/clip-chunk.ts';
import { chunksOf } from './head/complete-slice.ts';
import { decodeHistogramRecord } from './wal/records/histogram-record.ts';
import { HISTOGRAM_RECORDS, RecordType, recordType } from './wal/records/record-type.ts';
import { decodeSamplesRecord } from './wal/records/samples-record.ts';
import { visitSeriesRecord } from './wal/records/series-record.ts';
import { decodeStartedSamplesRecord } from './wal/records/started-samples-record.ts';
import { findLastCheckpoint } from './wal/segments.ts';
import { WalReader } from './wal/wal-reader.ts';

/**
 * Hints of blocks that have only some of the head's samples in their range: those that came late, or (Prometheus 3) of
 * series that were stale or selected. The head's other samples in it are still in the log.
 */
const PARTIAL_HINTS = [FROM_OUT_OF_ORDER, 'from-stale-series', 'from-selected-series'];

/** So many series of a block say what it is made of. */
const SERIES_LOOKED_AT = 100;

/** Whether a block tells that the head's samples before its end are in blocks. */
export function endsHead({ meta }: Block): boolean {
  return !meta.compaction.hints?.some((hint) => PARTIAL_HINTS.includes(hint));
}

/**
 * Whether a block without a hint is one of late samples all the same. Prometheus before 2.52 gives such a block its name
 * first and its hint in a second write; killed between, it takes the block for one of the head at its next start, and
 * skips what the log has before the block's end. The log of late samples is cut only later, so it has all the block has,
 * which cannot be said of a block of the head. `dir` is the data directory; nothing is changed in it.
 */
export async function lacksLateMark(disk: Disk, dir: string, block: Block): Promise<boolean> {
  const { compaction, stats } = block.meta;
  if (compaction.level !== 1 || compaction.hints?.length) return false;
  // Whoever counts kinds of samples, as Verona does, writes the hint with the block.
  if (stats.numFloatSamples !== undefined) return false;
  if ((await countLate(disk, dir, block)) < stats.numSamples) return false;
  try {
    const series = await firstSeries(block);
    const refs = await refsOf(disk, dir, series);
    return isAllLate(series, await lateTimes(disk, dir, refs));
  } catch (error) {
    // A damaged block is no reason to trust it less than others.
    if (error instanceof VeronaError && error.code === 'corrupt') return false;
    throw error;
  }
}

async function countLate(disk: Disk, dir: string, { meta }: Block): Promise<number> {
  let count = 0;
  await visitLate(disk, dir, (_, t) => {
    if (t >= meta.minTime && t < meta.maxTime) count++;
  });
  return count;
}

/** Times of the samples of some series, by the bytes of their labels. */
async function firstSeries(block: Block): Promise<Map<string, number[]>> {
  const { minTime, maxTime } = block.meta;
  const found = new Map<string, number[]>();
  const querier = await block.querier(minTime, maxTime);
  const request = { matchers: [], mint: minTime, maxt: maxTime, hints: { limit: SERIES_LOOKED_AT } };
  try {
    for await (const batch of querier.select(
      { signal: new AbortController().signal },
      { ...request, sorted: true },
    ))
      for (let i = 0; i < batch.seriesCount; i++) {
        const labels = batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]);
        const times = chunksOf(batch, i).flatMap((chunk) => decodeSamples(chunk).map(({ t }) => t));
        found.set(keyOf(labels), times);
      }
  } finally {
    await querier.close();
  }
  return found;
}

/** The numbers these series have in the log, which may be several each. */
async function refsOf(
  disk: Disk,
  dir: string,
  series: ReadonlyMap<string, unknown>,
): Promise<Map<number, string>> {
  const refs = new Map<number, string>();
  const apply = (record: Uint8Array) => {
    if (recordType(record) !== RecordType.series) return;
    visitSeriesRecord(record.slice(), (ref, labels) => {
      const key = keyOf(labels);
      if (series.has(key)) refs.set(ref, key);
    });
  };
  const checkpoint = await findLastCheckpoint(disk, `${dir}/wal`);
  if (checkpoint) await visitRecords(disk, checkpoint.path, apply);
  await visitRecords(disk, `${dir}/wal`, apply);
  return refs;
}

async function lateTimes(
  disk: Disk,
  dir: string,
  refs: ReadonlyMap<number, string>,
): Promise<Map<string, Set<number>>> {
  const times = new Map<string, Set<number>>();
  await visitLate(disk, dir, (ref, t) => {
    const key = refs.get(ref);
    if (key === undefined) return;
    const known = times.get(key);
    if (known) known.add(t);
    else times.set(key, new Set([t]));
  });
  return times;
}

function isAllLate(
  series: ReadonlyMap<string, readonly number[]>,
  late: ReadonlyMap<string, ReadonlySet<number>>,
): boolean {
  for (const [key, times] of series) {
    const known = late.get(key);
    if (known === undefined || times.some((t) => !known.has(t))) return false;
  }
  return series.size > 0;
}

/** Calls `visit` for every sample of the log of late samples, of every kind. */
async function visitLate(disk: Disk, dir: string, visit: (ref: number, t: number) => void): Promise<void> {
  await visitRecords(disk, `${dir}/wbl`, (record) => {
    const type = recordType(record);
    if (type === RecordType.samples || type === RecordType.samplesST) {
      const decode = type === RecordType.samples ? decodeSamplesRecord : decodeStartedSamplesRecord;
      const { count, refs, times } = decode(record.slice());
      for (let i = 0; i < count; i++) visit(refs[i], times[i]);
    } else if (type !== undefined && HISTOGRAM_RECORDS.has(type))
      for (const { ref, t } of decodeHistogramRecord(record.slice())) visit(ref, t);
  });
}

/** Damage is passed over: whoever reads the log back tells and repairs it. */
async function visitRecords(disk: Disk, dir: string, apply: (record: Uint8Array) => void): Promise<void> {
  const tryApply = (record: Uint8Array) => {
    try {
      apply(record);
    } catch (error) {
      if (!(error instanceof VeronaError) || error.code !== 'corrupt') throw error;
    }
  };
  await new WalReader(disk, dir).visit(tryApply, () => {});
}

function keyOf(labels: Uint8Array): string {
  return Buffer.from(labels.buffer, labels.byteOffset, labels.length).toString('latin1');
}
