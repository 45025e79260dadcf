import fc from 'fast-check';
import { expect, test } from 'vitest';
import { QueryKernel } from '../kernel/query-kernel.ts';
import { VeronaError } from '../model/errors.ts';
import type { Histogram } from '../model/histogram.ts';
import { STALE_NAN_BITS } from '../model/sample.ts';
import { SeededRandom } from '../platform/random.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { BatchDecoder } from './batch-decoder.ts';
import { ChunkEncoding } from './encoding.ts';
import { HistogramAppender } from './histogram-chunk.ts';
import { decodeXor, XorAppender } from './xor.ts';

interface TestChunk {
  readonly mint: number;
  readonly maxt: number;
  readonly encoding: number;
  readonly bytes: Uint8Array;
}

const decoder = new BatchDecoder(new QueryKernel());

const anyBits = fc.oneof(
  fc.constantFrom(
    0n,
    1n << 63n,
    STALE_NAN_BITS,
    0x7ff8000000000001n,
    0x7ff0000000000000n,
    0x4059000000000000n,
  ),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);
const gap = fc.oneof(
  fc.constant(15_000),
  fc.integer({ min: 1, max: 40_000 }),
  fc.integer({ min: 1, max: 2 ** 40 }),
);
const samples = fc.array(fc.tuple(gap, anyBits), { minLength: 1, maxLength: 150 });

test('the kernel decodes a chunk to the same bits as the plain decoder', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), samples, (first, list) => {
      const chunk = xorChunk(first, list);
      decoder.open(batchOf([[chunk]]));
      const plain = decodeXor(chunk.bytes, 0, chunk.bytes.length);
      const floats = decoder.floats(0, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, true);
      expect([...floats.timestamps]).toEqual([...plain.timestamps]);
      expect(bitsOf(floats.values)).toEqual(bitsOf(plain.values));
    }),
  );
});

test('chunks that overlap are merged, later ones win, and the range is cut', () => {
  const chunkOf = (start: number, step: number, count: number, v: number) =>
    xorChunkOf(Array.from({ length: count }, (_, i) => [start + i * step, v] as const));
  decoder.open(
    batchOf([
      [chunkOf(0, 10, 10, 1), chunkOf(50, 10, 10, 2), chunkOf(55, 20, 3, 3)],
      [chunkOf(200, 1, 3, 4)],
    ]),
  );
  const pairs = (series: number, mint: number, maxt: number) => {
    const { timestamps, values } = decoder.floats(series, mint, maxt, true);
    return Array.from(timestamps, (t, i) => [t, values[i]]);
  };
  expect(pairs(0, 30, 80)).toEqual([
    [30, 1],
    [40, 1],
    [50, 2],
    [55, 3],
    [60, 2],
    [70, 2],
    [75, 3],
    [80, 2],
  ]);
  expect(pairs(1, 201, 201)).toEqual([[201, 4]]);
  expect(pairs(1, 300, 400)).toEqual([]);
});

test('two replicas of a long series become one', () => {
  const chunks: TestChunk[] = [];
  for (let c = 0; c < 1_500; c++)
    for (const shift of [0, 7])
      chunks.push(
        xorChunkOf(Array.from({ length: 100 }, (_, i) => [(c * 100 + i) * 1_000 + shift, shift] as const)),
      );
  decoder.open(batchOf([chunks]));
  const { count, timestamps } = decoder.floats(0, 0, 1e12, true);
  expect(count).toBe(300_000);
  for (let i = 0; i < count; i += 991) expect(timestamps[i]).toBe((i >> 1) * 1_000 + (i % 2) * 7);
});

test('staleness markers are kept or left out, other NaN stay', () => {
  const values = new Float64Array(
    BigUint64Array.of(1n, STALE_NAN_BITS, 0x7ff8000000000001n, STALE_NAN_BITS, 2n).buffer,
  );
  decoder.open(
    batchOf([
      [
        xorChunkOf(
          Array.from(values, (_, i) => [i, i] as const),
          values,
        ),
      ],
    ]),
  );
  expect(bitsOf(decoder.floats(0, 0, 9, true).values)).toEqual(bitsOf(values));
  const kept = decoder.floats(0, 0, 9, false);
  expect([...kept.timestamps]).toEqual([0, 2, 4]);
  expect(bitsOf(kept.values)).toEqual([1n, 0x7ff8000000000001n, 2n]);
});

test('a series of floats and histograms gives both', () => {
  decoder.open(
    batchOf([[xorChunkOf([[1, 1]]), histogramChunk(5, 3), xorChunkOf([[9, 2]])], [histogramChunk(5, 3)]]),
  );
  expect(decoder.kind(0)).toBe('mixed');
  expect(decoder.kind(1)).toBe('histograms');
  expect([...decoder.floats(0, 0, 10, true).timestamps]).toEqual([1, 9]);
  expect(decoder.floats(1, 0, 10, true).count).toBe(0);
  expect([...decoder.histograms(0, 6, 10).timestamps]).toEqual([6, 7]);
  expect(decoder.histograms(1, 0, 10).histograms.map(({ counterResetHint }) => counterResetHint)).toEqual([
    'unknown',
    'not_reset',
    'not_reset',
  ]);
});

test('hints about the sample before are dropped where histogram chunks overlap', () => {
  decoder.open(batchOf([[histogramChunk(5, 3), histogramChunk(6, 3)]]));
  const { timestamps, histograms } = decoder.histograms(0, 0, 10);
  expect([...timestamps]).toEqual([5, 6, 7, 8]);
  expect(new Set(histograms.map(({ counterResetHint }) => counterResetHint))).toEqual(new Set(['unknown']));
});

test('many samples make the kernel grow and keep what it has', () => {
  const chunks: TestChunk[] = [];
  for (let c = 0; c < 400; c++)
    chunks.push(xorChunkOf(Array.from({ length: 120 }, (_, i) => [(c * 120 + i) * 1_000, c] as const)));
  decoder.open(batchOf([chunks]));
  const { count, timestamps, values } = decoder.floats(0, 0, 1e9, true);
  expect(count).toBe(48_000);
  for (let i = 0; i < count; i += 997) {
    expect(timestamps[i]).toBe(i * 1_000);
    expect(values[i]).toBe(Math.floor(i / 120));
  }
});

test('mutated chunks decode to what the plain decoder gives, or both fail as corrupt', () => {
  const random = new SeededRandom(23);
  let failed = 0;
  for (let round = 0; round < 6_000; round++) {
    const appender = new XorAppender();
    let t = 1_700_000_000_000;
    for (let i = 0; i < 30; i++) appender.append((t += 15_000 + (i % 5)), i % 3 === 0 ? Math.sin(i) : i);
    const good = appender.bytes();
    const bytes = good.slice(
      0,
      random.next() < 0.8 ? good.length : 2 + Math.floor(random.next() * good.length),
    );
    for (let k = 0; k < 3; k++)
      bytes[Math.floor(random.next() * bytes.length)] ^= 1 << Math.floor(random.next() * 8);
    // What follows the chunk must not matter.
    const other = histogramChunk(1, 20);
    const everything = { mint: Number.NEGATIVE_INFINITY, maxt: Number.POSITIVE_INFINITY };
    decoder.open(batchOf([[{ ...everything, encoding: ChunkEncoding.xor, bytes }], [other]]));
    const plain = outcome(() => decodeXor(bytes, 0, bytes.length));
    const kernel = outcome(() => decoder.floats(0, everything.mint, everything.maxt, true));
    if (plain === 'corrupt') failed++;
    expect(kernel).toEqual(plain);
  }
  expect(failed).toBeGreaterThan(500);
  expect(failed).toBeLessThan(5_900);
});

test('a chunk that lies outside the data is corrupt', () => {
  const batch = batchOf([[xorChunkOf([[1, 1]])]]);
  decoder.open({ ...batch, chunkDataLength: Uint32Array.of(1_000) });
  expect(() => decoder.floats(0, 0, 10, true)).toThrow(/series 0 of a batch: chunk 0: 1000 bytes at 0/);
});

function outcome(decode: () => { timestamps: Float64Array; values: Float64Array }): unknown {
  try {
    const { timestamps, values } = decode();
    return { timestamps: [...timestamps], values: bitsOf(values) };
  } catch (error) {
    expect(error).toBeInstanceOf(VeronaError);
    return (error as VeronaError).code;
  }
}

function bitsOf(values: Float64Array): bigint[] {
  return [...new BigUint64Array(values.buffer, values.byteOffset, values.length)];
}

function xorChunk(first: number, list: readonly (readonly [gap: number, bits: bigint])[]): TestChunk {
  const values = new Float64Array(BigUint64Array.from(list.map(([, bits]) => bits)).buffer);
  let t = first;
  return xorChunkOf(
    list.map(([gap]) => [(t += gap), 0] as const),
    values,
  );
}

function xorChunkOf(pairs: readonly (readonly [t: number, v: number])[], bits?: Float64Array): TestChunk {
  const appender = new XorAppender();
  for (const [i, [t, v]] of pairs.entries()) appender.append(t, bits ? bits[i] : v);
  return {
    mint: pairs[0][0],
    maxt: appender.lastTime,
    encoding: ChunkEncoding.xor,
    bytes: appender.bytes().slice(),
  };
}

function histogramChunk(first: number, count: number): TestChunk {
  const appender = HistogramAppender.integer();
  for (let i = 0; i < count; i++) {
    const histogram: Histogram = {
      kind: 'integer',
      counterResetHint: 'unknown',
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 0,
      count: i + 1,
      sum: i,
      positiveSpans: [{ offset: 0, length: 1 }],
      negativeSpans: [],
      positiveBuckets: [i + 1],
      negativeBuckets: [],
      customValues: [],
    };
    appender.append(first + i, histogram);
  }
  const { encoding } = appender;
  return { mint: first, maxt: first + count - 1, encoding, bytes: appender.bytes().slice() };
}

/** By hand, so that damaged chunks can be put in as well. */
function batchOf(series: readonly (readonly TestChunk[])[]): SeriesBatch {
  const chunks = series.flat();
  let size = 0;
  const offsets = chunks.map(({ bytes }) => (size += bytes.length) - bytes.length);
  const starts = series.map((_, i) => series.slice(0, i).flat().length);
  return {
    seriesCount: series.length,
    labelBytes: new Uint8Array(),
    labelOffsets: new Uint32Array(series.length + 1),
    chunkStarts: Uint32Array.from([...starts, chunks.length]),
    chunkMint: Float64Array.from(chunks, ({ mint }) => mint),
    chunkMaxt: Float64Array.from(chunks, ({ maxt }) => maxt),
    chunkEncoding: Uint8Array.from(chunks, ({ encoding }) => encoding),
    chunkDataOffset: Uint32Array.from(offsets),
    chunkDataLength: Uint32Array.from(chunks, ({ bytes }) => bytes.length),
    chunkData: Buffer.concat(chunks.map(({ bytes }) => bytes)),
  };
}
