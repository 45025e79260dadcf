import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Aggregate, decodeAggregates, encodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { decodeXor } from '../../chunkenc/xor.ts';
import { VeronaError } from '../../model/errors.ts';
import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram } from '../../model/histogram.ts';
import { STALE_NAN } from '../../model/sample.ts';
import { oneBucketHistogram } from '../../model/testdata/one-bucket-histogram.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { type AnySample, encodeSamples } from '../head/clip-chunk.ts';
import { aggregateOf } from './aggregate-of.ts';
import { cutAggregates, windowsOfDeleted } from './cut-aggregates.ts';
import { floatsOf } from './downsample-aggregates.ts';
import { histogramsOf } from './downsample-histograms.ts';
import { downsampleSeries } from './downsample-series.ts';
import { readAggregates } from './read-aggregates.ts';
import { ONE_HOUR_MS, FIVE_MINUTES_MS as R } from './window.ts';

const T = 1_699_999_200_000;

function raw(samples: readonly AnySample[]): BlockChunk[] {
  return encodeSamples(samples).map(({ mint, maxt, encoding, bytes }) => ({
    mint,
    maxt,
    encoding,
    data: bytes,
  }));
}

/** [time - T, value] of one aggregate of all chunks. */
function part(chunks: readonly BlockChunk[], aggregate: Aggregate): [number, number][][] {
  return chunks.map(({ data }) => {
    const { timestamps, values } = floatsOf(decodeAggregates(data), aggregate);
    return Array.from(timestamps, (t, i): [number, number] => [t - T, values[i]]);
  });
}

const read = (chunks: readonly BlockChunk[], choice: Parameters<typeof readAggregates>[1], rangeMs = 0) =>
  readAggregates(chunks, choice, rangeMs).flatMap(({ data }) => {
    const { timestamps, values } = decodeXor(data, 0, data.length);
    return Array.from(timestamps, (t, i): [number, number] => [t - T, values[i]]);
  });

test('the counts, sums, least, greatest and counters of windows stand at their last millisecond', () => {
  const values = [10, 30, 20, 5, 25, 25, 1];
  const chunks = downsampleSeries(raw(values.map((value, i) => ({ t: T + i * 120_000, value }))), 0, R);
  // Windows: 10 30 20 | 5 25 | 25 1, the last one ends with its last sample.
  const ends = [R - 1, 2 * R - 1, 720_000];
  const at = (list: number[]) => [list.map((v, i) => [ends[i], v])];
  expect(part(chunks, Aggregate.count)).toEqual(at([3, 2, 2]));
  expect(part(chunks, Aggregate.sum)).toEqual(at([60, 30, 26]));
  expect(part(chunks, Aggregate.min)).toEqual(at([10, 5, 1]));
  expect(part(chunks, Aggregate.max)).toEqual(at([30, 25, 25]));
  // 10 → 30, a reset to 20 counts 20 on, a reset to 5 …; first and last raw value around it.
  expect(part(chunks, Aggregate.counter)).toEqual([
    [[0, 10], ...[50, 75, 76].map((v, i) => [ends[i], v]), [ends[2], 1]],
  ]);
  expect(chunks[0]).toMatchObject({ mint: T + ends[0], maxt: T + ends[2], encoding: 255 });
});

test('an aggregate chunk has the bytes Thanos writes', () => {
  const one = { encoding: 1, data: Uint8Array.of(7, 8) };
  const long = { encoding: 3, data: new Uint8Array(200).fill(9) };
  const bytes = encodeAggregates([one, undefined, long, undefined, one]);
  expect([...bytes.subarray(0, 8)]).toEqual([2, 1, 7, 8, 0, 0xc8, 1, 3]);
  expect([...bytes.subarray(208)]).toEqual([0, 2, 1, 7, 8]);
  expect(decodeAggregates(bytes)).toEqual([one, undefined, long, undefined, one]);
  for (let length = 0; length < bytes.length; length++)
    expect(() => decodeAggregates(bytes.subarray(0, length))).toThrow(VeronaError);
});

test('NaN and stale markers are left out, and a series of nothing else is gone', () => {
  const samples = [1, Number.NaN, 3, 'stale' as const].map((value, i) => ({
    t: T + i * 1000,
    // In an array of numbers the marker would become just any NaN.
    value: value === 'stale' ? STALE_NAN : value,
  }));
  const chunks = downsampleSeries(raw(samples), 0, R);
  expect(part(chunks, Aggregate.count)).toEqual([[[2000, 2]]]);
  expect(downsampleSeries(raw([{ t: T, value: Number.NaN }]), 0, R)).toEqual([]);
});

const gaugeOrCounter = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 90_000 }), fc.integer({ min: 0, max: 1000 })), {
    minLength: 1,
    maxLength: 3000,
  })
  .map((list) => {
    let t = T;
    return list.map(([gap, value]): AnySample => ({ t: (t += gap), value }));
  });

test('whatever the samples, windows hold what they should, also an hour made of five minutes', () => {
  fc.assert(
    fc.property(gaugeOrCounter, (samples) => {
      const five = downsampleSeries(raw(samples), 0, R);
      const hour = downsampleSeries(five, R, ONE_HOUR_MS);
      const floats = samples.map(({ value }) => value as number);
      for (const chunks of [five, hour]) {
        const flat = (aggregate: Aggregate) =>
          part(chunks, aggregate)
            .flat()
            .map(([, v]) => v);
        const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);
        expect(sum(flat(Aggregate.count))).toBe(samples.length);
        expect(sum(flat(Aggregate.sum))).toBe(sum(floats));
        expect(Math.min(...flat(Aggregate.min))).toBe(Math.min(...floats));
        expect(Math.max(...flat(Aggregate.max))).toBe(Math.max(...floats));
        for (let i = 1; i < chunks.length; i++) expect(chunks[i].mint).toBeGreaterThan(chunks[i - 1].maxt);
        // The counter grows by what the raw one grew, resets counted.
        const counter = read(chunks, Aggregate.counter);
        const grown = floats.reduce(
          (total, v, i) => total + (i === 0 ? v : v < floats[i - 1] ? v : v - floats[i - 1]),
          0,
        );
        expect(counter.at(-1)).toEqual([(samples.at(-1) as AnySample).t - T, grown]);
        expect(counter[0][1]).toBe(floats[0]);
      }
    }),
    { numRuns: 60 },
  );
});

test('raw chunks around downsampled ones go on in the same counter, and count one each', () => {
  const ramp = (from: number, count: number) =>
    Array.from(
      { length: count },
      (_, i): AnySample => ({ t: T + (from + i) * 60_000, value: (from + i) % 70 }),
    );
  const chunks = [...downsampleSeries(raw(ramp(0, 100)), 0, R), ...raw(ramp(100, 50))];
  const counter = read(chunks, Aggregate.counter);
  // 149 steps up but for two resets from 69 to 0.
  expect(counter.at(-1)).toEqual([149 * 60_000, 147]);
  expect(read(chunks, Aggregate.count).reduce((sum, [, v]) => sum + v, 0)).toBe(150);
  expect(read(chunks, 'average')).toHaveLength(20 + 50);
});

function histograms(chunks: readonly BlockChunk[], aggregate: Aggregate): [number, FloatHistogram][] {
  return chunks.flatMap(({ data }) =>
    histogramsOf(decodeAggregates(data), aggregate).map(({ t, h }): [number, FloatHistogram] => [t - T, h]),
  );
}

test.each([
  ['exponential', {}],
  ['custom', { schema: CUSTOM_BUCKETS_SCHEMA, customValues: [1, 2] }],
])('%s histograms have sums and counters, cut where the counter was reset', (_, more) => {
  const counts = [1, 2, 3, 4, 5, 6, 2, 3, 4, 5];
  const samples = counts.map(
    (count, i): AnySample => ({ t: T + i * 100_000, value: oneBucketHistogram(count, more) }),
  );
  const five = downsampleSeries(raw(samples), 0, R);
  expect(five.map(({ data }) => decodeAggregates(data).map((part) => part?.encoding))).toEqual(
    five.map(() => [
      ChunkEncoding.xor,
      ChunkEncoding.floatHistogram,
      undefined,
      undefined,
      ChunkEncoding.floatHistogram,
    ]),
  );
  expect(part(five, Aggregate.count)).toEqual([
    [
      [R - 1, 3],
      [500_000, 3],
    ],
    [
      [3 * R - 1, 3],
      [900_000, 1],
    ],
  ]);
  expect(histograms(five, Aggregate.sum).map(([t, { count }]) => [t, count])).toEqual([
    [R - 1, 6],
    [500_000, 15],
    [3 * R - 1, 9],
    [900_000, 5],
  ]);
  const counter = histograms(readAggregates(five, Aggregate.counter).map(asAggregate), Aggregate.counter);
  expect(counter.map(([, { count }]) => count)).toEqual([1, 3, 6, 2, 4, 5]);
  const hour = downsampleSeries(five, R, ONE_HOUR_MS);
  expect(histograms(hour, Aggregate.sum).map(([, { count }]) => count)).toEqual([21, 14]);
  expect(histograms(hour, Aggregate.counter).map(([, { count }]) => count)).toEqual([1, 6, 2, 5]);
});

test.each([
  ['unknown', 0.001, 0.01],
  ['unknown', 0.01, 0.001],
  ['gauge', 0.001, 0.01],
] as const)(
  'where the zero bucket of a histogram (%s) changes its width from %d to %d, a chunk ends',
  (hint, before, after) => {
    const samples = Array.from({ length: 40 }, (_, i): AnySample => {
      const more = { zeroThreshold: i < 17 ? before : after, counterResetHint: hint };
      return { t: T + i * 60_000, value: oneBucketHistogram(i + 1, more) };
    });
    const five = downsampleSeries(raw(samples), 0, R);
    const hour = downsampleSeries(five, R, ONE_HOUR_MS);
    for (const chunks of [five, hour]) {
      expect(chunks).toHaveLength(2);
      const counted = part(chunks, Aggregate.count).flat();
      expect(counted.reduce((sum, [, count]) => sum + count, 0)).toBe(40);
      const sums = histograms(chunks, Aggregate.sum).map(([, h]) => h.count);
      expect(sums.reduce((a, b) => a + b)).toBe((40 * 41) / 2);
    }
  },
);

/** So that the helper above can look into a plain histogram chunk. */
function asAggregate(chunk: BlockChunk): BlockChunk {
  const parts = [];
  parts[Aggregate.counter] = { encoding: chunk.encoding, data: chunk.data };
  return { ...chunk, encoding: 255, data: encodeAggregates(parts) };
}

test('floats and histograms of one series are downsampled each by itself', () => {
  const samples: AnySample[] = [
    { t: T, value: 1 },
    { t: T + 1000, value: oneBucketHistogram(5) },
    { t: T + 2000, value: 3 },
  ];
  const chunks = downsampleSeries(raw(samples), 0, R);
  expect(chunks.map(({ mint }) => mint - T)).toEqual([0, 1000, 2000]);
  expect(downsampleSeries(chunks, R, ONE_HOUR_MS)).toHaveLength(3);
});

test('a window of which a part is deleted is gone, and the rest stays a good chunk', () => {
  const samples = Array.from({ length: 60 }, (_, i): AnySample => ({ t: T + i * 60_000, value: i }));
  const [chunk] = downsampleSeries(raw(samples), 0, R);
  const gap = windowsOfDeleted([{ mint: T + 12 * 60_000, maxt: T + 16 * 60_000 }], R);
  const cut = cutAggregates(chunk, gap) as BlockChunk;
  const kept = [0, 1, 4, 5, 6, 7, 8, 9, 10, 11];
  expect(part([cut], Aggregate.count)[0].map(([t]) => Math.floor(t / R))).toEqual(kept);
  expect(read([cut], Aggregate.counter).at(-1)?.[1]).toBe(59);
  const everything = windowsOfDeleted([{ mint: T, maxt: T + ONE_HOUR_MS }], R);
  expect(cutAggregates(chunk, everything)).toBeUndefined();
  const end = windowsOfDeleted([{ mint: T + 50 * 60_000, maxt: T + ONE_HOUR_MS }], R);
  expect(read([cutAggregates(chunk, end) as BlockChunk], Aggregate.counter).at(-1)).toEqual([10 * R - 1, 49]);
});

test('as many samples are counted as there were raw ones, in their windows, at any resolution', () => {
  const sample = fc.record({ gap: fc.integer({ min: 1, max: 900_000 }), value: fc.double({ noNaN: true }) });
  fc.assert(
    fc.property(fc.array(sample, { minLength: 1, maxLength: 300 }), (list) => {
      let t = T;
      const samples = list.map(({ gap, value }): AnySample => ({ t: (t += gap), value }));
      const five = downsampleSeries(raw(samples), 0, R);
      const hour = downsampleSeries(five, R, ONE_HOUR_MS);
      for (const [chunks, resolutionMs] of [
        [five, R],
        [hour, ONE_HOUR_MS],
      ] as const) {
        const counted = read(chunks, 'each').map(([at]) => at + T);
        expect(counted).toEqual([...counted].sort((a, b) => a - b));
        expect(new Set(counted).size).toBe(samples.length);
        const windowsOf = (times: readonly number[]) => times.map((at) => Math.floor(at / resolutionMs));
        expect(windowsOf(counted)).toEqual(windowsOf(samples.map((one) => one.t)));
      }
    }),
    {
      numRuns: 300,
      examples: [[[341_909, 17, 7, 731_714, 52_335, 720_793, 853_225].map((gap) => ({ gap, value: 0 }))]],
    },
  );
});

test('values are counted by value, samples by number', () => {
  expect(aggregateOf('count_values')).toBe('average');
  expect(aggregateOf('count')).toBe(Aggregate.count);
  expect(aggregateOf('count_over_time')).toBe('each');
});

test('beside finer and raw chunks a coarser one weighs as much as the time it is of', () => {
  const hours = Array.from({ length: 6 }, (_, hour) =>
    raw(
      Array.from(
        { length: 60 },
        (_, i): AnySample => ({ t: T + hour * ONE_HOUR_MS + i * 60_000, value: hour }),
      ),
    ),
  );
  const five = (from: number) => downsampleSeries(hours.slice(from, from + 2).flat(), 0, R);
  const chunks = [...downsampleSeries(five(0), R, ONE_HOUR_MS), ...five(2), ...hours.slice(4).flat()];
  const day = 24 * ONE_HOUR_MS;
  expect(read(chunks, 'even', day).map(([, value]) => value)).toEqual([0, 1, 2, 3, 4, 5]);
  // A short range would see a window or not.
  expect(read(chunks, 'even', day - 1)).toEqual(read(chunks, 'average'));
  expect(read(chunks, 'average').length).toBe(2 + 24 + 120);
  expect(read(five(2), 'even', day)).toEqual(read(five(2), 'average'));
  expect(aggregateOf('avg_over_time')).toBe('even');
  const stale = raw([{ t: T + 7 * ONE_HOUR_MS, value: STALE_NAN }]);
  expect(read([...chunks, ...stale], 'even', day)).toHaveLength(6);
  const again = [...chunks, ...hours[4]].sort((a, b) => a.mint - b.mint);
  expect(read(again, 'even', day)).toEqual(read(chunks, 'even', day));
});

test('mutated aggregate chunks decode or are corrupt', () => {
  const samples = Array.from({ length: 60 }, (_, i): AnySample => ({ t: T + i * 60_000, value: i % 17 }));
  const [chunk] = downsampleSeries(raw(samples), 0, R);
  fc.assert(
    fc.property(
      fc.nat(chunk.data.length - 1),
      fc.nat(255),
      fc.constantFrom('average', 'each', 'even', 0, 1, 2, 3, 4),
      (at, byte, choice) => {
        const data = chunk.data.slice();
        data[at] = byte;
        try {
          readAggregates([...raw([{ t: T, value: 1 }]), { ...chunk, data }], choice as 'average', 1e9);
          downsampleSeries([{ ...chunk, data }], R, ONE_HOUR_MS);
        } catch (error) {
          expect(error).toMatchObject({ code: 'corrupt' });
        }
      },
    ),
    { numRuns: 1500 },
  );
});
