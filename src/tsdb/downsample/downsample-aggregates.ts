import {
  Aggregate,
  type AggregateParts,
  decodeAggregates,
  encodeAggregates,
} from '../../chunkenc/aggregate-chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { decodeXor, type FloatColumns, XorAppender } from '../../chunkenc/xor.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { CounterTotal } from './counter-total.ts';
import { partOf } from './float-windows.ts';
import { chunkCount, windowEnd } from './window.ts';

/**
 * Aggregate chunks of floats as ones of a coarser resolution. They are joined only as wholes: each ends with the last raw
 * value of its time. `inMs` and `outMs` are the resolutions. Throws `corrupt`.
 */
export function downsampleAggregates(
  chunks: readonly BlockChunk[],
  inMs: number,
  outMs: number,
): BlockChunk[] {
  const parts = chunks.map(({ data }) => decodeAggregates(data));
  const columns = parts.map((part) => floatsOf(part, Aggregate.count));
  const samples = columns.reduce((sum, { timestamps }) => sum + timestamps.length, 0);
  const groups = chunkCount(chunks[0].mint, chunks.at(-1)!.maxt, inMs, outMs, samples);
  const batch = Math.max(1, Math.trunc(parts.length / groups));
  const out: BlockChunk[] = [];
  for (let from = 0; from < parts.length; from += batch)
    out.push(...joinParts(parts.slice(from, from + batch), outMs));
  return out;
}

/** Aggregate chunks of floats of the same time, which have no raw sample in common, as one. Throws `corrupt`. */
export function addAggregates(chunks: readonly BlockChunk[]): BlockChunk[] {
  return joinParts(
    chunks.map(({ data }) => decodeAggregates(data)),
    1,
  );
}

type Fold = (values: Float64Array, from: number, to: number) => number;

const FOLDS: readonly (readonly [Aggregate, Fold])[] = [
  [Aggregate.count, sumOf],
  [Aggregate.sum, sumOf],
  [Aggregate.min, (values, from, to) => values.subarray(from, to).reduce((a, b) => Math.min(a, b))],
  [Aggregate.max, (values, from, to) => values.subarray(from, to).reduce((a, b) => Math.max(a, b))],
];

function joinParts(parts: readonly AggregateParts[], outMs: number): BlockChunk[] {
  const joined: (ReturnType<typeof partOf> | undefined)[] = [];
  let mint = Number.POSITIVE_INFINITY;
  let maxt = Number.NEGATIVE_INFINITY;
  for (const [aggregate, fold] of FOLDS) {
    const samples = inOrder(concat(parts.map((part) => floatsOf(part, aggregate))));
    if (samples.timestamps.length === 0) continue;
    const appender = new XorAppender();
    eachWindow(samples.timestamps, outMs, (t, from, to) => {
      appender.append(t, fold(samples.values, from, to));
      mint = Math.min(mint, t);
      maxt = Math.max(maxt, t);
    });
    joined[aggregate] = partOf(appender);
  }
  if (maxt < mint) return [];
  joined[Aggregate.counter] = joinCounters(parts, outMs);
  return [{ mint, maxt, encoding: ChunkEncoding.aggregate, data: encodeAggregates(joined) }];
}

function joinCounters(
  parts: readonly AggregateParts[],
  outMs: number,
): ReturnType<typeof partOf> | undefined {
  const total = new CounterTotal();
  for (const part of parts) total.add(floatsOf(part, Aggregate.counter));
  const { timestamps, values } = total.take();
  if (timestamps.length === 0) return undefined;
  const appender = new XorAppender();
  appender.append(timestamps[0], values[0]);
  eachWindow(timestamps, outMs, (t, _, to) => appender.appendAgain(t, values[to - 1]));
  appender.appendAgain(appender.lastTime, total.lastValue);
  return partOf(appender);
}

/** The last window ends at the last sample, if it is not over by then. */
function eachWindow(
  timestamps: Float64Array,
  outMs: number,
  visit: (t: number, from: number, to: number) => void,
): void {
  const last = timestamps[timestamps.length - 1];
  for (let from = 0; from < timestamps.length; ) {
    const end = Math.min(windowEnd(timestamps[from], outMs), last);
    let to = from;
    while (to < timestamps.length && timestamps[to] <= end) to++;
    visit(end, from, to);
    from = to;
  }
}

/** One aggregate of a chunk of floats; empty when it is absent. */
export function floatsOf(parts: AggregateParts, aggregate: Aggregate): FloatColumns {
  const part = parts[aggregate];
  if (!part || part.encoding !== ChunkEncoding.xor) return NOTHING;
  return decodeXor(part.data, 0, part.data.length, aggregate === Aggregate.counter);
}

const NOTHING: FloatColumns = { timestamps: new Float64Array(0), values: new Float64Array(0) };

function sumOf(values: Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i];
  return sum;
}

function concat(list: readonly FloatColumns[]): FloatColumns {
  const count = list.reduce((sum, { timestamps }) => sum + timestamps.length, 0);
  const timestamps = new Float64Array(count);
  const values = new Float64Array(count);
  let at = 0;
  for (const one of list) {
    timestamps.set(one.timestamps, at);
    values.set(one.values, at);
    at += one.timestamps.length;
  }
  return { timestamps, values };
}

/** By time; the same columns where they are in order already. */
function inOrder(columns: FloatColumns): FloatColumns {
  const { timestamps, values } = columns;
  if (timestamps.every((t, i) => i === 0 || t >= timestamps[i - 1])) return columns;
  const order = [...timestamps.keys()].sort((a, b) => timestamps[a] - timestamps[b]);
  return {
    timestamps: Float64Array.from(order, (i) => timestamps[i]),
    values: Float64Array.from(order, (i) => values[i]),
  };
}
