import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Aggregate, decodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { decodeChunk } from '../../chunkenc/chunk.ts';
import { XorAppender } from '../../chunkenc/xor.ts';
import { STALE_NAN } from '../../model/sample.ts';
import { oneBucketHistogram } from '../../model/testdata/one-bucket-histogram.ts';
import { floatsOf } from '../downsample/downsample-aggregates.ts';
import { downsampleSeries } from '../downsample/downsample-series.ts';
import { type AnySample, encodeSamples } from '../head/clip-chunk.ts';
import { mergeDecoded, mergeOverlaps, type ReplicaChunk } from './merge-overlaps.ts';

const NUM_RUNS = 400;

/** Mostly even steps with gaps and jitter, as scrapes come; and times without any order to them. */
const gaps = fc.oneof(
  fc.array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(15_000, 15_000, 15_001, 14_998) },
      { weight: 1, arbitrary: fc.integer({ min: 16_000, max: 900_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 15_000 }) },
    ),
    { minLength: 1, maxLength: 120 },
  ),
  fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 60 }),
  fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 40 }),
);

const replica = fc.record({
  start: fc.integer({ min: 0, max: 60_000 }),
  gaps,
  /** Samples in each chunk, over and over. */
  sizes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
});

test('two replicas merged chunk by chunk have the chunks of the plain way, to the byte', () => {
  fc.assert(
    fc.property(replica, replica, (a, b) => {
      const [left, right] = [chunksOf(a, 0), chunksOf(b, 1)];
      const expected = mergeDecoded([
        [0, left],
        [1, right],
      ]);
      if (!overlapping(left, right)) return;
      const chunks = [...left, ...right].sort((x, y) => x.mint - y.mint || x.maxt - y.maxt);
      const merged = mergeOverlaps(chunks, 'penalty');
      expect(merged.map(plain)).toEqual(expected.map(plain));
      // Chunks that stay are the very ones that came.
      for (const chunk of expected)
        if (chunks.includes(chunk as ReplicaChunk)) expect(merged).toContain(chunk);
    }),
    { numRuns: NUM_RUNS },
  );
});

test('of histograms, and of floats with start timestamps, those samples are taken that would be of floats', () => {
  const timesOf = (chunks: readonly Pick<ReplicaChunk, 'encoding' | 'data'>[]) =>
    chunks.flatMap(({ encoding, data }) => [...decodeChunk(encoding, data, 0, data.length).timestamps]);
  const kinds = fc.constantFrom(histogramAt, (t: number) => ({ t, value: t, startT: 1 }));
  fc.assert(
    fc.property(
      replica,
      replica,
      kinds,
      fc.constantFrom('penalty', 'one-to-one'),
      (a, b, sampleAt, dedup) => {
        const floats = [chunksOf(a, 0), chunksOf(b, 1)];
        if (!overlapping(floats[0], floats[1])) return;
        const rare = floats.map((chunks, i) => chunks.flatMap((chunk) => rareChunks(chunk, i, sampleAt)));
        const merged = (lanes: readonly (readonly ReplicaChunk[])[]) =>
          timesOf(
            mergeOverlaps(
              lanes.flat().sort((x, y) => x.mint - y.mint || x.maxt - y.maxt),
              dedup,
            ),
          );
        expect(merged(rare)).toEqual(merged(floats));
      },
    ),
    { numRuns: NUM_RUNS },
  );
});

test('a chunk with other times than it should have is merged as it is', () => {
  const [a] = chunksOf({ start: 0, gaps: Array(50).fill(15_000), sizes: [60] }, 0);
  const [b] = chunksOf({ start: 7_000, gaps: Array(50).fill(15_000), sizes: [60] }, 1);
  const wrong = { ...a, maxt: a.maxt - 5 };
  expect(mergeOverlaps([wrong, b], 'penalty')).toEqual(
    mergeDecoded([
      [0, [wrong]],
      [1, [b]],
    ]),
  );
});

test('series that became one after they were downsampled have the windows of both', () => {
  const coarse = [0, 7_000].map((start, replica) => {
    const raw = chunksOf({ start, gaps: Array(200).fill(15_000), sizes: [120] }, replica);
    return downsampleSeries(raw, 0, 300_000).map((chunk): ReplicaChunk => ({ ...chunk, replica }));
  });
  const countOf = (chunks: readonly Pick<ReplicaChunk, 'data'>[]) =>
    chunks
      .flatMap(({ data }) => [...floatsOf(decodeAggregates(data), Aggregate.count).values])
      .reduce((sum, count) => sum + count, 0);
  const merged = mergeOverlaps(coarse.flat(), 'one-to-one');
  expect(overlapping(merged.slice(0, 1) as ReplicaChunk[], merged.slice(1) as ReplicaChunk[])).toBe(false);
  expect(countOf(merged)).toBe(countOf(coarse[0]) + countOf(coarse[1]));
});

/** The times of a chunk, with other values. */
function rareChunks(
  { data, encoding }: ReplicaChunk,
  replica: number,
  sampleAt: (t: number) => AnySample,
): ReplicaChunk[] {
  const { timestamps } = decodeChunk(encoding, data, 0, data.length);
  const pieces = encodeSamples(Array.from(timestamps, sampleAt));
  return pieces.map(({ bytes, ...chunk }) => ({ ...chunk, data: bytes, replica }));
}

function histogramAt(t: number): AnySample {
  return { t, value: oneBucketHistogram(t + 1) };
}

function overlapping(a: readonly ReplicaChunk[], b: readonly ReplicaChunk[]): boolean {
  return a.some((x) => b.some((y) => x.mint <= y.maxt && y.mint <= x.maxt));
}

function plain({ mint, maxt, encoding, data }: Pick<ReplicaChunk, 'mint' | 'maxt' | 'encoding' | 'data'>) {
  return { mint, maxt, encoding, data: Buffer.from(data).toString('hex') };
}

function chunksOf(
  { start, gaps, sizes }: { start: number; gaps: readonly number[]; sizes: readonly number[] },
  replica: number,
): ReplicaChunk[] {
  const times = [start];
  for (const gap of gaps) times.push(times[times.length - 1] + gap);
  const chunks: ReplicaChunk[] = [];
  const values = new Float64Array(1);
  for (let from = 0, k = 0; from < times.length; k++) {
    const to = Math.min(times.length, from + sizes[k % sizes.length]);
    const appender = new XorAppender();
    for (let i = from; i < to; i++) {
      values[0] = i % 11 === 7 ? STALE_NAN : i * 1.25 + replica;
      appender.append(times[i], values[0]);
    }
    const data = appender.bytes().slice();
    chunks.push({ replica, mint: times[from], maxt: times[to - 1], encoding: appender.encoding, data });
    from = to;
  }
  return chunks;
}
