import { Aggregate, decodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { decodeChunk } from '../../chunkenc/chunk.ts';
import { ChunkEncoding, isFloatEncoding } from '../../chunkenc/encoding.ts';
import type { FloatColumns } from '../../chunkenc/xor.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { floatsOf } from './downsample-aggregates.ts';
import { resolutionOf } from './resolution-of.ts';
import { windowEnd } from './window.ts';

/** Windows of a range at least: a window counts whole or not at all at its ends. */
const WINDOWS_MIN = 24;

/** Samples as sums over windows: raw ones are windows of one. */
interface Sums {
  readonly timestamps: Float64Array;
  readonly sums: Float64Array;
  readonly counts: Float64Array;
  /** 0 for raw samples. */
  readonly resolutionMs: number;
}

/**
 * The averages of a series whose samples lie unevenly, since some of its chunks are coarser than others or raw: one for each window
 * of the coarsest, at its last sample, so that none counts more than another. Undefined where they lie as evenly as they can.
 * Undefined also where a range of `rangeMs` is so short that the ends of windows would tell more than their weight.
 * Chunks may overlap: a time counts once. Those of histograms are not looked at, and NaN is left out. Throws `corrupt`.
 */
export function evenAverages(chunks: readonly BlockChunk[], rangeMs: number): FloatColumns | undefined {
  const parts = chunks.map(sumsOf).filter((part) => part !== undefined);
  const coarsestMs = Math.max(0, ...parts.map(({ resolutionMs }) => resolutionMs));
  if (rangeMs < WINDOWS_MIN * coarsestMs) return undefined;
  if (parts.every(({ resolutionMs }) => resolutionMs === coarsestMs)) return undefined;
  const timestamps = join(parts.map((part) => part.timestamps));
  const sums = join(parts.map((part) => part.sums));
  const counts = join(parts.map((part) => part.counts));
  const out = { timestamps: [] as number[], values: [] as number[] };
  let [end, before, sum, count] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (const i of inOrder(timestamps)) {
    const t = timestamps[i];
    if (t === before) continue;
    before = t;
    if (t > end) {
      [end, sum, count] = [windowEnd(t, coarsestMs), 0, 0];
      out.timestamps.push(t);
      out.values.push(0);
    }
    sum += sums[i];
    count += counts[i];
    const last = out.timestamps.length - 1;
    out.timestamps[last] = t;
    out.values[last] = sum / count;
  }
  return { timestamps: Float64Array.from(out.timestamps), values: Float64Array.from(out.values) };
}

function join(columns: readonly Float64Array[]): Float64Array {
  const joined = new Float64Array(columns.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const column of columns) {
    joined.set(column, at);
    at += column.length;
  }
  return joined;
}

/** Places by time. */
function inOrder(timestamps: Float64Array): Iterable<number> {
  const places = timestamps.keys();
  return timestamps.every((t, i) => i === 0 || t >= timestamps[i - 1])
    ? places
    : [...places].sort((a, b) => timestamps[a] - timestamps[b]);
}

function sumsOf({ encoding, data }: BlockChunk): Sums | undefined {
  if (isFloatEncoding(encoding)) {
    const { timestamps, values } = withoutNaN(
      decodeChunk(encoding, data, 0, data.length) as FloatColumns & { kind: 'float' },
    );
    return { timestamps, sums: values, counts: new Float64Array(values.length).fill(1), resolutionMs: 0 };
  }
  if (encoding !== ChunkEncoding.aggregate) return undefined;
  const parts = decodeAggregates(data);
  const { timestamps, values: sums } = floatsOf(parts, Aggregate.sum);
  if (timestamps.length === 0) return undefined;
  const counts = floatsOf(parts, Aggregate.count).values;
  return { timestamps, sums, counts, resolutionMs: resolutionOf(parts, timestamps) };
}

function withoutNaN({ timestamps, values }: FloatColumns): FloatColumns {
  if (!values.some(Number.isNaN)) return { timestamps, values };
  return {
    timestamps: timestamps.filter((_, i) => !Number.isNaN(values[i])),
    values: values.filter((v) => !Number.isNaN(v)),
  };
}
