import type { FloatHistogram } from './histogram.ts';
import { alignHistograms } from './histogram-math.ts';
import {
  equalNumbers,
  reduceResolution,
  type SparseCounts,
  sparseCounts,
  usesCustomBuckets,
} from './histogram-shape.ts';
import { outsideZero, zeroCountAt } from './histogram-zero.ts';

/**
 * Whether a counter was reset between two histograms: by the hint if there is one, else when any count went down, or
 * when the resolution became finer or the zero bucket narrower, which only a restart does.
 */
export function detectReset(current: FloatHistogram, previous: FloatHistogram): boolean {
  if (current.counterResetHint === 'reset') return true;
  if (current.counterResetHint === 'not_reset') return false;
  if (current.count < previous.count) return true;
  if (usesCustomBuckets(current) !== usesCustomBuckets(previous)) return true;
  if (usesCustomBuckets(current)) return customWentDown(current, previous);
  if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold) return true;

  const zero = zeroCountAt(previous, current.zeroThreshold);
  // A filled bucket of the previous one straddles the new threshold.
  if (zero.threshold !== current.zeroThreshold || current.zeroCount < zero.count) return true;
  const coarse = reduceResolution(previous, current.schema);
  return sideWentDown(current, coarse, 'positive') || sideWentDown(current, coarse, 'negative');
}

function sideWentDown(
  current: FloatHistogram,
  previous: FloatHistogram,
  side: 'positive' | 'negative',
): boolean {
  const { schema, zeroThreshold } = current;
  return wentDown(
    outsideZero(sparseCounts(current, side), schema, zeroThreshold),
    outsideZero(sparseCounts(previous, side), schema, zeroThreshold),
  );
}

function customWentDown(current: FloatHistogram, previous: FloatHistogram): boolean {
  const { a, b } = equalNumbers(current.customValues, previous.customValues)
    ? { a: current, b: previous }
    : alignHistograms(current, previous);
  return wentDown(sparseCounts(a, 'positive'), sparseCounts(b, 'positive'));
}

function wentDown(current: SparseCounts, previous: SparseCounts): boolean {
  // Only buckets that the previous one has are looked at: it matters where counts are negative.
  const counts = new Map(current.indexes.map((index, i) => [index, current.counts[i]]));
  return previous.indexes.some((index, i) => {
    const before = previous.counts[i];
    const now = counts.get(index);
    return now === undefined ? before !== 0 : now < before;
  });
}
