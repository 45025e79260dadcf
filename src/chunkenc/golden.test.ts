import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AnyHistogram, CounterResetHint } from '../model/histogram.ts';
import { joinFloat } from './bits.ts';
import { decodeChunk } from './chunk.ts';
import { ChunkEncoding } from './encoding.ts';
import { HistogramAppender } from './histogram-chunk.ts';
import { XorAppender } from './xor.ts';

/** Samples and the chunks that Prometheus 3.7's own code made of them. */
interface Golden {
  readonly kind: 'integer' | 'float' | 'xor';
  readonly samples: readonly GoldenSample[];
  /** Hexadecimal. */
  readonly chunks: readonly string[];
  readonly recoded: readonly boolean[];
}

interface GoldenSample {
  readonly t: number;
  readonly v: string;
  /** A new chunk was begun before this sample although the old one could have taken it. */
  readonly cut?: boolean;
  readonly hint: CounterResetHint;
  readonly schema: number;
  readonly zt: number;
  readonly zc: number;
  readonly c: number;
  readonly sum: string;
  readonly ps: readonly (readonly [number, number])[];
  readonly ns: readonly (readonly [number, number])[];
  readonly pb: readonly number[];
  readonly nb: readonly number[];
  readonly cv?: readonly number[];
}

const goldens = JSON.parse(
  readFileSync(join(import.meta.dirname, 'testdata/chunks.json'), 'utf8'),
) as Golden[];
const histogramGoldens = goldens
  .filter(({ kind }) => kind !== 'xor')
  .map((golden, i) => [i, golden] as const);

test.each(histogramGoldens)('histogram sequence %d becomes the chunks that Prometheus makes', (_, golden) => {
  const chunks: string[] = [];
  let appender = (
    golden.kind === 'integer' ? HistogramAppender.integer() : HistogramAppender.float()
  ) as HistogramAppender<AnyHistogram>;
  const close = () => {
    chunks.push(Buffer.from(appender.bytes()).toString('hex'));
    appender = appender.successor();
  };
  for (const [i, sample] of golden.samples.entries()) {
    if (sample.cut) close();
    const histogram = toHistogram(golden.kind as 'integer' | 'float', sample);
    const result = appender.append(sample.t, histogram);
    if (result === 'new_chunk') {
      close();
      expect(appender.append(sample.t, histogram)).toBe('appended');
    } else expect(result === 'recoded').toBe(golden.recoded[i]);
  }
  close();
  expect(chunks).toEqual(golden.chunks);
});

test.each(histogramGoldens)('histogram sequence %d decodes to what was appended', (_, golden) => {
  const encoding = golden.kind === 'integer' ? ChunkEncoding.histogram : ChunkEncoding.floatHistogram;
  const times: number[] = [];
  const counts: number[] = [];
  const sums: number[] = [];
  for (const hex of golden.chunks) {
    const bytes = Buffer.from(hex, 'hex');
    const decoded = decodeChunk(encoding, bytes, 0, bytes.length);
    if (decoded.kind !== 'histogram') throw new Error('not histograms');
    times.push(...decoded.timestamps);
    for (const { count, sum } of decoded.histograms) {
      counts.push(count);
      sums.push(sum);
    }
    const resumed = HistogramAppender.resume(encoding, bytes);
    expect(Buffer.from(resumed.bytes()).toString('hex')).toBe(hex);
  }
  expect(times).toEqual(golden.samples.map(({ t }) => t));
  expect(counts).toEqual(golden.samples.map(({ c }) => c));
  expect(sums).toEqual(golden.samples.map(({ sum }) => fromBits(sum)));
});

test('float samples become the XOR chunks that Prometheus makes, and back', () => {
  const xor = goldens.filter(({ kind }) => kind === 'xor');
  expect(xor.length).toBeGreaterThan(0);
  for (const { samples, chunks } of xor) {
    const values = new Float64Array(new BigUint64Array(samples.map(({ v }) => BigInt(`0x${v}`))).buffer);
    const appender = new XorAppender();
    for (const [i, { t }] of samples.entries()) appender.append(t, values[i]);
    expect(Buffer.from(appender.bytes()).toString('hex')).toBe(chunks[0]);
    const decoded = decodeChunk(ChunkEncoding.xor, appender.bytes(), 0, appender.byteLength);
    if (decoded.kind !== 'float') throw new Error('not floats');
    expect([...decoded.timestamps]).toEqual(samples.map(({ t }) => t));
    expect(new BigUint64Array(decoded.values.buffer)).toEqual(new BigUint64Array(values.buffer));
  }
});

function toHistogram(kind: 'integer' | 'float', sample: GoldenSample): AnyHistogram {
  return {
    kind,
    counterResetHint: sample.hint,
    schema: sample.schema,
    zeroThreshold: sample.zt,
    zeroCount: sample.zc,
    count: sample.c,
    sum: fromBits(sample.sum),
    positiveSpans: sample.ps.map(([offset, length]) => ({ offset, length })),
    negativeSpans: sample.ns.map(([offset, length]) => ({ offset, length })),
    positiveBuckets: sample.pb,
    negativeBuckets: sample.nb,
    customValues: sample.cv ?? [],
  };
}

function fromBits(hex: string): number {
  return joinFloat(Number.parseInt(hex.slice(0, 8), 16), Number.parseInt(hex.slice(8), 16));
}
