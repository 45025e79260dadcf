import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Aggregate, decodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { type AnySample, encodeSamples } from '../head/clip-chunk.ts';
import { addWindows } from './add-windows.ts';
import { floatsOf } from './downsample-aggregates.ts';
import { histogramsOf } from './downsample-histograms.ts';
import { downsampleSeries } from './downsample-series.ts';
import { FIVE_MINUTES_MS as R, windowEnd } from './window.ts';

const T = 1_699_999_200_000;

function downsampled(samples: readonly AnySample[]): BlockChunk[] {
  const raw = encodeSamples(samples).map(({ bytes, ...chunk }) => ({ ...chunk, data: bytes }));
  return downsampleSeries(raw, 0, R);
}

function merged(...lists: readonly BlockChunk[][]): BlockChunk[] {
  return addWindows(lists.flat().sort((a, b) => a.mint - b.mint || a.maxt - b.maxt));
}

/** By window; the last window of a chunk may stand before its end. */
function windows(chunks: readonly BlockChunk[], aggregate: Aggregate): Map<number, number> {
  const fold = aggregate === Aggregate.min ? Math.min : aggregate === Aggregate.max ? Math.max : sum;
  const found = new Map<number, number>();
  for (const { data } of chunks) {
    const { timestamps, values } = floatsOf(decodeAggregates(data), aggregate);
    timestamps.forEach((t, i) => {
      const before = found.get(windowEnd(t, R));
      found.set(windowEnd(t, R), before === undefined ? values[i] : fold(before, values[i]));
    });
  }
  return found;
}

const sum = (a: number, b: number) => a + b;
const ordered = (map: Map<number, number>) => [...map].sort(([a], [b]) => a - b);

test('windows of samples that came in two blocks are as if they had come in one', () => {
  const sample = fc.record({ gap: fc.integer({ min: 1, max: 90 }), v: fc.nat(1000), isLate: fc.boolean() });
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1, maxLength: 400 }), (list) => {
      let t = T;
      const all = list.map(({ gap, v, isLate }) => ({ t: (t += gap * 1000), value: v, isLate }));
      const some = (isLate: boolean) => downsampled(all.filter((one) => one.isLate === isLate));
      const together = merged(some(false), some(true));
      for (const aggregate of [Aggregate.count, Aggregate.sum, Aggregate.min, Aggregate.max])
        expect(ordered(windows(together, aggregate))).toEqual(ordered(windows(downsampled(all), aggregate)));
      together.forEach(({ mint }, i) => {
        if (i > 0) expect(mint).toBeGreaterThan(together[i - 1].maxt);
      });
      const { timestamps, values } = floatsOf(decodeAggregates(together[0].data), Aggregate.counter);
      expect([...timestamps].every((at, i) => i === 0 || at >= timestamps[i - 1])).toBe(true);
      expect([...values].slice(0, -1).every((v, i) => i === 0 || v >= values[i - 1])).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('raw chunks, and aggregate ones that do not overlap, stay as they are', () => {
  const first = downsampled([{ t: T, value: 1 }]);
  const later = downsampled([{ t: T + 10 * R, value: 2 }]);
  const raw = { mint: T, maxt: T + R, encoding: ChunkEncoding.xor, data: new Uint8Array(3) };
  expect(merged(first, later, [raw])).toEqual(
    [raw, ...first, ...later].sort((a, b) => a.mint - b.mint || a.maxt - b.maxt),
  );
});

function histogram(count: number, hint: FloatHistogram['counterResetHint'] = 'unknown'): FloatHistogram {
  return {
    kind: 'float',
    counterResetHint: hint,
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count,
    sum: count * 2,
    positiveSpans: [{ offset: 0, length: 1 }],
    positiveBuckets: [count],
    negativeSpans: [],
    negativeBuckets: [],
    customValues: [],
  };
}

test('histograms of the same window are added up; gauges are not added to counters', () => {
  const at = (t: number, count: number, hint?: FloatHistogram['counterResetHint']) => ({
    t: T + t,
    value: histogram(count, hint),
  });
  const a = downsampled([at(0, 1), at(100_000, 3), at(R, 8), at(3 * R - 1, 9)] as AnySample[]);
  const b = downsampled([at(50_000, 2), at(3 * R - 1, 9)] as AnySample[]);
  const [together, ...rest] = merged(a, b);
  expect(rest).toEqual([]);
  const sums = histogramsOf(decodeAggregates(together.data), Aggregate.sum);
  expect(sums.map(({ t, h }) => [t - T, h.count])).toEqual([
    [R - 1, 6],
    [2 * R - 1, 8],
    [3 * R - 1, 18],
  ]);
  const gauge = downsampled([at(0, 5, 'gauge'), at(R, 5, 'gauge')] as AnySample[]);
  expect(merged(a, gauge)).toHaveLength(a.length + gauge.length);
});
