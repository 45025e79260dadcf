import { VeronaError } from '../model/errors.ts';
import { BatchBuilder } from './batch-builder.ts';
import { compareLabelBytes } from './compare-label-bytes.ts';
import type { LabelChange } from './label-change.ts';
import type { SeriesBatch } from './series-batch.ts';

/** A series where it lies: entry `index` of `batch`, under the labels it has after a change. */
export interface PlacedSeries {
  readonly batch: SeriesBatch;
  readonly index: number;
  readonly labelBytes: Uint8Array;
}

/** Bytes of batches that wait for their order at once. */
const WAITING_BYTES_MAX = 512 * 1024 * 1024;

/**
 * Changes the labels of a sorted stream of series and sorts it again: all series with equal new labels come together, in
 * the order they had before. Only series of one metric wait for each other: a change behind the first label never moves
 * a series past another first label. Series without such a first label (their first name is not below every changed one)
 * come last, and all of them wait; no series may lose its last label. Throws `limit` when more than `WAITING_BYTES_MAX` wait.
 */
export async function* regroupSeries(
  batches: AsyncIterable<SeriesBatch>,
  change: LabelChange,
): AsyncGenerator<readonly PlacedSeries[]> {
  let waiting: PlacedSeries[] = [];
  const loose: PlacedSeries[] = [];
  const held = new Set<SeriesBatch>();
  let prefix: Uint8Array | undefined;
  for await (const batch of batches) {
    hold(held, batch);
    for (let index = 0; index < batch.seriesCount; index++) {
      const start = batch.labelOffsets[index];
      const end = batch.labelOffsets[index + 1];
      const series = { batch, index, labelBytes: change.apply(batch.labelBytes, start, end) };
      const stable = change.stablePrefix(batch.labelBytes, start, end);
      if (stable === start) {
        loose.push(series);
        continue;
      }
      const own = batch.labelBytes.subarray(start, stable);
      if (prefix === undefined || !equalBytes(prefix, own)) {
        yield* sortedGroups(waiting);
        waiting = [];
        if (loose.length === 0) held.clear();
        held.add(batch);
        prefix = own;
      }
      waiting.push(series);
    }
  }
  yield* sortedGroups(waiting);
  yield* sortedGroups(loose);
}

function hold(held: Set<SeriesBatch>, batch: SeriesBatch): void {
  held.add(batch);
  let bytes = 0;
  for (const { labelBytes, chunkData } of held) bytes += labelBytes.length + chunkData.length;
  if (bytes > WAITING_BYTES_MAX)
    throw new VeronaError(
      'limit',
      `more than ${WAITING_BYTES_MAX} bytes of series wait to be sorted; narrow the query’s matchers or its time`,
    );
}

function* sortedGroups(series: readonly PlacedSeries[]): Generator<readonly PlacedSeries[]> {
  const sorted = isSorted(series)
    ? series
    : [...series].sort((a, b) => compareLabelBytes(a.labelBytes, b.labelBytes));
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1;
    while (to < sorted.length && equalBytes(sorted[from].labelBytes, sorted[to].labelBytes)) to++;
    yield sorted.slice(from, to);
    from = to;
  }
}

function isSorted(series: readonly PlacedSeries[]): boolean {
  for (let i = 1; i < series.length; i++)
    if (compareLabelBytes(series[i - 1].labelBytes, series[i].labelBytes) > 0) return false;
  return true;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The stream under changed labels, sorted again; series that became equal are one with the chunks of all. */
export async function* relabelSeries(
  batches: AsyncIterable<SeriesBatch>,
  change: LabelChange,
): AsyncGenerator<SeriesBatch> {
  if (change.isNothing) return yield* batches;
  const builder = new BatchBuilder();
  for await (const group of regroupSeries(batches, change)) {
    addChunks(builder, group);
    if (builder.isFull) yield builder.take();
  }
  if (!builder.isEmpty) yield builder.take();
}

function addChunks(builder: BatchBuilder, group: readonly PlacedSeries[]): void {
  builder.addSeries(group[0].labelBytes);
  if (group.length === 1) {
    const [{ batch, index }] = group;
    for (let c = batch.chunkStarts[index]; c < batch.chunkStarts[index + 1]; c++)
      builder.addChunkOf(batch, c);
    return;
  }
  const chunks = group.flatMap(({ batch, index }) =>
    Array.from({ length: batch.chunkStarts[index + 1] - batch.chunkStarts[index] }, (_, i) => ({
      batch,
      chunk: batch.chunkStarts[index] + i,
    })),
  );
  chunks.sort(
    (a, b) =>
      a.batch.chunkMint[a.chunk] - b.batch.chunkMint[b.chunk] ||
      a.batch.chunkMaxt[a.chunk] - b.batch.chunkMaxt[b.chunk],
  );
  for (const { batch, chunk } of chunks) builder.addChunkOf(batch, chunk);
}
