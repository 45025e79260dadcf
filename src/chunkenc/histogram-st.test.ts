import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { SeededRandom } from '../platform/random.ts';
import { decodeChunk, storedSampleCount } from './chunk.ts';
import { classicChunk } from './classic-chunk.ts';
import { ChunkEncoding } from './encoding.ts';
import { decodeHistogramChunk, HistogramAppender } from './histogram-chunk.ts';

const goldens = JSON.parse(readFileSync(join(import.meta.dirname, 'testdata/chunks.json'), 'utf8')) as {
  readonly kind: 'integer' | 'float' | 'xor';
  readonly chunks: readonly string[];
}[];
/** Chunks that Prometheus wrote without start times, and the encoding that has them. */
const chunks = goldens
  .filter(({ kind }) => kind !== 'xor')
  .flatMap(({ kind, chunks }) =>
    chunks.map((chunk) => ({
      classic: kind === 'integer' ? ChunkEncoding.histogram : ChunkEncoding.floatHistogram,
      encoding: kind === 'integer' ? ChunkEncoding.histogramST : ChunkEncoding.floatHistogramST,
      bytes: Uint8Array.from(Buffer.from(chunk, 'hex')),
    })),
  );

test('without start times a chunk is one of Prometheus’ chunks with another header', () => {
  for (const { classic, encoding, bytes } of chunks) {
    const decoded = decodeHistogramChunk(classic, bytes, 0, bytes.length);
    const made = HistogramAppender.encode(encoding, decoded).bytes();
    const expected = bytes.slice();
    expected[0] |= bytes[2];
    expected[2] = 0;
    expect(Buffer.from(made).toString('hex')).toBe(Buffer.from(expected).toString('hex'));
    expect(decodeChunk(encoding, made, 0, made.length)).toEqual({ kind: 'histogram', ...decoded });
    expect(storedSampleCount(encoding, made, 0)).toBe(decoded.timestamps.length);
    expect(classicChunk({ encoding, data: made })).toEqual({ encoding: classic, data: bytes });
  }
});

test('the start time of a single sample is a varint behind its bits', () => {
  const appender = HistogramAppender.integer(true);
  const bare = {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    negativeSpans: [],
    customValues: [],
    positiveBuckets: [],
    negativeBuckets: [],
  } as const;
  appender.append(0, bare, -300);
  // Layout: zero threshold 0 in a byte, then schema, span counts as single zero bits; t, counts as zero bits; the sum; 600 zigzag.
  const bits = `00000000 0 00 000 ${'0'.repeat(64)} 11011000 00000100`.replaceAll(' ', '');
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0');
  const hex = (padded.match(/.{4}/g) ?? []).map((four) => Number.parseInt(four, 2).toString(16)).join('');
  expect(Buffer.from(appender.bytes()).toString('hex')).toBe(`000180${hex}`);
});

test('start times are kept, also when the chunk is written anew over more buckets', () => {
  for (const { encoding, classic, bytes } of chunks) {
    const decoded = decodeHistogramChunk(classic, bytes, 0, bytes.length);
    const startTimes = decoded.timestamps.map((t, i) => (i % 5 === 3 ? 0 : t - 1000 * Math.floor(i / 2) - 7));
    const made = HistogramAppender.encode(encoding, { ...decoded, startTimes }).bytes();
    expect(decodeChunk(encoding, made, 0, made.length)).toEqual({
      kind: 'histogram',
      ...decoded,
      startTimes,
    });
    const again = HistogramAppender.resume(encoding, made).bytes();
    expect(again).toEqual(made);
  }
});

test('mutated chunks decode or fail as corrupt', () => {
  const random = new SeededRandom(12);
  let decoded = 0;
  for (let round = 0; round < 4_000; round++) {
    const { encoding, classic, bytes } = chunks[Math.floor(random.next() * chunks.length)];
    const samples = decodeHistogramChunk(classic, bytes, 0, bytes.length);
    const startTimes = samples.timestamps.map((t, i) => t - i);
    const good = HistogramAppender.encode(encoding, { ...samples, startTimes }).bytes();
    const bad = good.slice(0, random.next() < 0.7 ? good.length : Math.floor(random.next() * good.length));
    for (let k = 0; k < 1 + 3 * random.next(); k++)
      bad[Math.floor(random.next() * bad.length)] ^= 1 << Math.floor(random.next() * 8);
    try {
      decodeChunk(encoding, bad, 0, bad.length);
      decoded++;
    } catch (error) {
      expect(error).toBeInstanceOf(VeronaError);
      expect((error as VeronaError).code).toBe('corrupt');
    }
  }
  expect(decoded).toBeGreaterThan(50);
});
