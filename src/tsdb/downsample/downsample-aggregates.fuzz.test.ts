import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Aggregate, decodeAggregates, encodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { XorAppender } from '../../chunkenc/xor.ts';
import { STALE_NAN } from '../../model/sample.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { AggregateSeries } from './aggregate-series.ts';
import { downsampleAggregates, floatsOf } from './downsample-aggregates.ts';
import { RawSeries } from './raw-series.ts';
import { FIVE_MINUTES_MS, ONE_HOUR_MS } from './window.ts';

/** What the kernel makes of the chunks; undefined when it leaves them to the plain way. */
function inKernel(chunks: readonly BlockChunk[], inMs: number, outMs: number): BlockChunk[] | undefined {
  const key = `${inMs} ${outMs}`;
  const series = kernels.get(key) ?? new AggregateSeries(inMs, outMs);
  kernels.set(key, series);
  series.clear();
  for (const { mint, maxt, data } of chunks) if (!series.add(mint, maxt, data)) return undefined;
  return series.take();
}

const kernels = new Map<string, AggregateSeries>();

function plainText(chunks: readonly BlockChunk[]) {
  return chunks.map(({ mint, maxt, encoding, data }) => ({
    mint,
    maxt,
    encoding,
    data: Buffer.from(data).toString('hex'),
  }));
}

/** Raw samples, with gaps, resets, NaN and staleness markers, in chunks of 120. */
const step = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(60_000, 60_000, 60_007) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 900_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 ** 36 }) },
);
const value = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 1000 }) },
  { weight: 3, arbitrary: fc.double({ noNaN: true, min: -1e300, max: 1e300 }) },
  { weight: 1, arbitrary: fc.constantFrom(-0, 0, 5e-324, -1e300, 1e300, Number.NaN, STALE_NAN) },
);
const raw = fc
  .record({
    start: fc.integer({ min: -(2 ** 40), max: 2 ** 42 }),
    list: fc.array(fc.tuple(step, value), { minLength: 1, maxLength: 3000, size: 'max' }),
  })
  .map(({ start, list }) => {
    let t = start;
    return list.map(([gap, v]) => ({ t: (t += gap), v }));
  });

test('the kernel joins aggregate chunks into the chunks of the plain way, to the byte', () => {
  fc.assert(
    fc.property(
      raw,
      fc.constantFrom(1, 7, 300),
      fc.constantFrom(1, 60_000, ONE_HOUR_MS),
      (samples, size, outMs) => {
        const series = new RawSeries(FIVE_MINUTES_MS);
        const five: BlockChunk[] = [];
        for (let from = 0; from < samples.length; from += size * 10) {
          const part = samples.slice(from, from + size * 10);
          const appender = new XorAppender();
          for (const { t, v } of part) appender.append(t, v);
          series.add(ChunkEncoding.xor, appender.bytes());
          // Now and then a chunk ends: not where a window does.
          five.push(...series.take());
        }
        if (five.length === 0) return;
        const plain = downsampleAggregates(five, FIVE_MINUTES_MS, outMs);
        expect(plainText(inKernel(five, FIVE_MINUTES_MS, outMs) as BlockChunk[])).toEqual(plainText(plain));
      },
    ),
    { numRuns: 150 },
  );
});

/** Parts that no writer makes: some absent, each with times of its own, counters that go back, the same time thrice. */
const part = fc.option(
  fc.array(
    fc.tuple(
      fc.oneof(fc.constantFrom(300_000, 300_000, 0), fc.integer({ min: 0, max: 2 ** 33 })),
      fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(-0, 0.1, 1e17, Number.NaN)),
    ),
    { minLength: 1, maxLength: 20 },
  ),
  { nil: undefined },
);
const oddChunk = fc.tuple(fc.integer({ min: 0, max: 2 ** 33 }), part, part, part, part, part);

function encodeOdd([start, ...lists]: typeof oddChunk extends fc.Arbitrary<infer T> ? T : never): BlockChunk {
  let maxt = start;
  const parts = lists.map((list, aggregate) => {
    if (list === undefined) return undefined;
    const appender = new XorAppender();
    let t = start;
    for (const [gap, v] of list) {
      t += aggregate === Aggregate.counter ? gap : Math.max(1, gap);
      appender.appendAgain(t, v);
    }
    maxt = Math.max(maxt, t);
    return { encoding: ChunkEncoding.xor, data: appender.bytes() };
  });
  return { mint: start, maxt, encoding: ChunkEncoding.aggregate, data: encodeAggregates(parts) };
}

test('the kernel joins odd chunks as the plain way does, or leaves them to it where times go back', () => {
  let joined = 0;
  fc.assert(
    fc.property(
      fc.array(oddChunk, { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      fc.constantFrom(1, 300_000, ONE_HOUR_MS),
      (list, isSorted, outMs) => {
        let end = 0;
        const chunks = list.map(([start, ...parts]) => {
          const chunk = encodeOdd([isSorted ? end + start : start, ...parts]);
          end = chunk.maxt;
          return chunk;
        });
        const found = inKernel(chunks, FIVE_MINUTES_MS, outMs);
        if (isSorted) expect(found).toBeDefined();
        if (found === undefined) return;
        joined++;
        const plain = downsampleAggregates(chunks, FIVE_MINUTES_MS, outMs);
        expect(samplesOf(found)).toEqual(samplesOf(plain));
        if (!hasNaN(chunks)) expect(plainText(found)).toEqual(plainText(plain));
      },
    ),
    { numRuns: 600 },
  );
  expect(joined).toBeGreaterThan(300);
});

test('mutated chunks are joined as the plain way joins them, are left to it, or are corrupt in both', () => {
  const five = encodeOdd([
    1_000_000,
    ...[0, 1, 2, 3, 4].map((k) =>
      Array.from({ length: 30 }, (_, i): [number, number] => [300_000, (i * 7 + k) % 11]),
    ),
  ] as unknown as Parameters<typeof encodeOdd>[0]);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(five.data.length - 1), fc.integer({ min: 1, max: 255 })), {
        minLength: 1,
        maxLength: 3,
      }),
      fc.nat(five.data.length),
      (mutations, cut) => {
        const data = five.data.slice(0, cut % 7 === 0 ? cut : undefined);
        for (const [at, bits] of mutations) if (at < data.length) data[at] ^= bits;
        const chunks = [{ ...five, data }];
        const kernel = outcome(() => inKernel(chunks, FIVE_MINUTES_MS, ONE_HOUR_MS));
        if (kernel === undefined) return;
        const plain = outcome(() => downsampleAggregates(chunks, FIVE_MINUTES_MS, ONE_HOUR_MS));
        if (kernel === 'corrupt' || plain === 'corrupt') expect(kernel).toBe(plain);
        else expect(samplesOf(kernel)).toEqual(samplesOf(plain as readonly BlockChunk[]));
      },
    ),
    { numRuns: 3000 },
  );
});

function outcome(work: () => readonly BlockChunk[] | undefined) {
  try {
    return work();
  } catch (error) {
    expect(error).toMatchObject({ code: 'corrupt' });
    return 'corrupt';
  }
}

/** Times and values of all parts of all chunks. */
function samplesOf(chunks: readonly BlockChunk[]) {
  return chunks.map(({ mint, maxt, data }) => {
    const parts = decodeAggregates(data);
    return { mint, maxt, parts: parts.map((_, aggregate) => floatsOf(parts, aggregate as Aggregate)) };
  });
}

/** NaN has many bits, and which of them come out of a sum is nobody's promise. */
function hasNaN(chunks: readonly BlockChunk[]): boolean {
  return samplesOf(chunks).some(({ parts }) => parts.some(({ values }) => values.some(Number.isNaN)));
}
