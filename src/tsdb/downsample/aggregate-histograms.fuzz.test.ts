import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Aggregate, decodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { VeronaError } from '../../model/errors.ts';
import { CUSTOM_BUCKETS_SCHEMA, type Histogram } from '../../model/histogram.ts';
import { oneBucketHistogram } from '../../model/testdata/one-bucket-histogram.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { encodeSamples } from '../head/clip-chunk.ts';
import { addWindows } from './add-windows.ts';
import { cutAggregates } from './cut-aggregates.ts';
import { floatsOf } from './downsample-aggregates.ts';
import { histogramsOf } from './downsample-histograms.ts';
import { downsampleSeries } from './downsample-series.ts';
import { readAggregates } from './read-aggregates.ts';
import { ONE_HOUR_MS, FIVE_MINUTES_MS as R } from './window.ts';

const T = 1_699_999_200_000;
const CHOICES = ['average', 'each', 'even', 0, 1, 2, 3, 4] as const;

function histogram(count: number, more: Partial<Histogram>): Histogram {
  const spans = [{ offset: 0, length: 2 }];
  return oneBucketHistogram(count, { positiveSpans: spans, positiveBuckets: [count, -count], ...more });
}

const KINDS: readonly Partial<Histogram>[] = [
  {},
  { counterResetHint: 'gauge' },
  { schema: CUSTOM_BUCKETS_SCHEMA, customValues: [1, 2] },
];

const chunks = KINDS.map((more): BlockChunk => {
  const samples = Array.from({ length: 40 }, (_, i) => ({
    t: T + i * 60_000,
    value: histogram(i + 1, more),
  }));
  const raw = encodeSamples(samples).map(({ bytes, ...chunk }) => ({ ...chunk, data: bytes }));
  return downsampleSeries(raw, 0, R)[0];
});

/** All that is done with aggregate chunks of a block. */
function use(chunk: BlockChunk): void {
  const gap = [{ mint: T + 3 * R, maxt: T + 5 * R }];
  const uses = [
    ...CHOICES.map((choice) => () => readAggregates([chunk], choice)),
    () => downsampleSeries([chunk], R, ONE_HOUR_MS),
    () => cutAggregates(chunk, gap),
    () => addWindows([chunk, chunks[0]]),
  ];
  for (const one of uses)
    try {
      one();
    } catch (error) {
      expect(error).toBeInstanceOf(VeronaError);
      expect(error).toMatchObject({ code: 'corrupt' });
    }
}

test('mutated, cut and mixed aggregate chunks of histograms decode or are corrupt', () => {
  for (const chunk of chunks) use(chunk);
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
  fc.assert(
    fc.property(
      fc.constantFrom(...chunks),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      fc.option(fc.nat(), { freq: 5 }),
      (chunk, changes, end) => {
        const data = chunk.data.slice(0, end === null ? chunk.data.length : 1 + (end % chunk.data.length));
        for (const { at, byte } of changes) data[at % data.length] = byte;
        use({ ...chunk, data });
      },
    ),
    { numRuns: 1500 },
  );
});

/** One raw histogram after the other, of whatever layout, as clients change it: wider buckets, a wider zero bucket, other bounds. */
const step = fc.record({
  gap: fc.integer({ min: 1, max: 900_000 }),
  layout: fc.option(
    fc.oneof(
      fc.record({
        schema: fc.integer({ min: -4, max: 8 }),
        zeroThreshold: fc.constantFrom(0, 1e-128, 0.001),
      }),
      fc.record({
        schema: fc.constant(CUSTOM_BUCKETS_SCHEMA),
        customValues: fc.constantFrom([1, 2], [1, 2, 5], [0.5]),
      }),
      fc.record({ counterResetHint: fc.constantFrom('gauge' as const, 'unknown' as const) }),
    ),
    { freq: 4 },
  ),
  more: fc.oneof({ weight: 8, arbitrary: fc.nat(50) }, { weight: 1, arbitrary: fc.constant(-1) }),
  offset: fc.integer({ min: 0, max: 1 }),
});

test('whatever histograms a series has, their numbers and sums add up at every resolution', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 200 }), (steps) => {
      let [t, count] = [T, 10];
      let layout: Partial<Histogram> = {};
      const samples = steps.map(({ gap, layout: next, more, offset }) => {
        layout = next ? { ...layout, customValues: [], ...next } : layout;
        if (layout.schema !== CUSTOM_BUCKETS_SCHEMA) layout = { ...layout, customValues: [] };
        else layout = { ...layout, zeroThreshold: 0 };
        count = more < 0 ? 1 : count + more;
        const positiveSpans = [{ offset: layout.schema === CUSTOM_BUCKETS_SCHEMA ? 0 : offset, length: 2 }];
        return { t: (t += gap), value: histogram(count, { ...layout, positiveSpans }) };
      });
      const raw = encodeSamples(samples).map(({ bytes, ...chunk }) => ({ ...chunk, data: bytes }));
      const five = downsampleSeries(raw, 0, R);
      const total = samples.reduce((sum, { value }) => sum + value.count, 0);
      for (const made of [five, downsampleSeries(five, R, ONE_HOUR_MS)]) {
        const parts = made.map(({ data }) => decodeAggregates(data));
        const numbers = parts.flatMap((part) => [...floatsOf(part, Aggregate.count).values]);
        expect(numbers.reduce((a, b) => a + b)).toBe(samples.length);
        const sums = parts.flatMap((part) => histogramsOf(part, Aggregate.sum).map(({ h }) => h.count));
        expect(sums.reduce((a, b) => a + b)).toBe(total);
        for (const choice of CHOICES) readAggregates(made, choice);
      }
    }),
    { numRuns: 300 },
  );
});
