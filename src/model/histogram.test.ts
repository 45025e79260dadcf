import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  type Histogram,
} from './histogram.ts';
import { addHistograms, divideHistogram, scaleHistogram, subtractHistograms } from './histogram-math.ts';
import { detectReset } from './histogram-reset.ts';
import { compactHistogram, equalHistograms, reduceResolution, toFloatHistogram } from './histogram-shape.ts';
import { histogramFraction, histogramQuantile, histogramStddev } from './histogram-statistics.ts';
import { HistogramSum } from './histogram-sum.ts';
import { apiBuckets, formatG, histogramText } from './histogram-text.ts';
import { validateHistogram } from './histogram-validate.ts';

/** Two histograms and what Prometheus 3.7's own code made of them. */
interface Golden {
  readonly A: GoldenHistogram;
  readonly B: GoldenHistogram;
  readonly Sum: GoldenHistogram;
  readonly Dif: GoldenHistogram;
  /** A to a schema lower by two. */
  readonly Coarse: GoldenHistogram;
  /** Whether B after A is a counter reset. */
  readonly Reset: boolean;
  readonly Text: string;
  readonly q: readonly string[];
  readonly f: readonly string[];
}

interface GoldenHistogram {
  readonly hint: CounterResetHint;
  readonly schema: number;
  readonly zt: number;
  readonly zc: number;
  readonly c: number;
  readonly sum: number;
  readonly ps: readonly (readonly [number, number])[];
  readonly ns: readonly (readonly [number, number])[];
  readonly pb: readonly number[];
  readonly nb: readonly number[];
  readonly cv?: readonly number[];
}

const goldens = JSON.parse(
  readFileSync(join(import.meta.dirname, 'testdata/histograms.json'), 'utf8'),
) as Golden[];

const QUANTILES = [0, 0.01, 0.25, 0.5, 0.9, 0.99, 1];
const RANGES = [
  [-1, 1],
  [0, 2],
  [Number.NEGATIVE_INFINITY, 0.3],
  [0.7, Number.POSITIVE_INFINITY],
  [-5, -0.2],
] as const;

describe.each(goldens.map((golden, i) => [i, golden] as const))('pair %d', (_, golden) => {
  const a = histogramOf(golden.A);
  const b = histogramOf(golden.B);

  test('adds and subtracts as Prometheus does', () => {
    expect(compactHistogram(addHistograms(a, b).histogram)).toEqual(histogramOf(golden.Sum));
    expect(compactHistogram(subtractHistograms(a, b).histogram)).toEqual(histogramOf(golden.Dif));
  });

  test('is a counter reset when Prometheus says so', () => {
    expect(detectReset(b, a)).toBe(golden.Reset);
  });

  test('has the text, quantiles and fractions that Prometheus gives', () => {
    expect(histogramText(a)).toBe(golden.Text);
    for (const [i, q] of QUANTILES.entries()) expectClose(histogramQuantile(q, a).value, parse(golden.q[i]));
    for (const [i, [lower, upper]] of RANGES.entries()) {
      const fraction = histogramFraction(lower, upper, a).value;
      const isOpenBelow = a.schema === CUSTOM_BUCKETS_SCHEMA && Number.isNaN(parse(golden.f[i]));
      // Prometheus 3.7, which wrote these, has NaN within a bucket that reaches down to -Inf; later ones do not interpolate it.
      if (isOpenBelow && !Number.isNaN(fraction)) expect(fraction >= 0 && fraction <= 1).toBe(true);
      else expectClose(fraction, parse(golden.f[i]));
    }
  });

  test('loses resolution as in Prometheus', () => {
    const coarse = golden.A.schema === -53 ? a : compactHistogram(reduceResolution(a, a.schema - 2));
    expect(coarse).toEqual({ ...histogramOf(golden.Coarse), counterResetHint: coarse.counterResetHint });
  });

  test('adds up the same with compensation', () => {
    const sum = new HistogramSum(a);
    sum.add(b);
    expect(histogramText(sum.value())).toBe(histogramText(addHistograms(a, b).histogram));
  });
});

const integer: Histogram = {
  kind: 'integer',
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0.5,
  zeroCount: 1,
  count: 8,
  sum: 10,
  positiveSpans: [
    { offset: 1, length: 2 },
    { offset: 1, length: 1 },
  ],
  negativeSpans: [{ offset: 0, length: 1 }],
  positiveBuckets: [2, -1, 1],
  negativeBuckets: [2],
  customValues: [],
};

test('an integer histogram becomes one with absolute float counts', () => {
  const float = toFloatHistogram(integer);
  expect(float.positiveBuckets).toEqual([2, 1, 2]);
  expect(histogramText(float)).toBe(
    '{count:8, sum:10, [-1,-0.5):2, [-0.5,0.5]:1, (1,2]:2, (2,4]:1, (8,16]:2}',
  );
  expect(apiBuckets(float)).toEqual([
    [1, -1, -0.5, 2],
    [3, -0.5, 0.5, 1],
    [0, 1, 2, 2],
    [0, 2, 4, 1],
    [0, 8, 16, 2],
  ]);
});

test.each<[string, Partial<Histogram>, string]>([
  ['a wrong total', { count: 9 }, '8 observations found in buckets, but the Count field is 9'],
  ['a total that NaN observations do not explain', { sum: Number.NaN, count: 7 }, 'at least the number of'],
  [
    'a negative count',
    { positiveBuckets: [2, -3, 1] },
    'positive side: bucket number 2 has observation count of -1',
  ],
  ['too few buckets', { positiveBuckets: [2] }, 'positive side: spans need 3 buckets, have 1 buckets'],
  ['an unknown schema', { schema: 9 }, 'histogram has an invalid schema'],
  [
    'a span that goes back',
    { positiveSpans: [...integer.positiveSpans, { offset: -1, length: 0 }] },
    'span number 3 with offset -1',
  ],
  ['bounds without custom schema', { customValues: [1] }, 'must not have custom bounds'],
  ['a zero bucket with custom bounds', { schema: -53, customValues: [1, 2, 3, 4, 5, 6] }, 'zero count of 0'],
  ['bounds out of order', { schema: -53, customValues: [2, 1] }, 'previous bound is 2 and current is 1'],
])('%s makes a histogram invalid', (_, change, message) => {
  expect(() => validateHistogram(integer)).not.toThrow();
  expect(() => validateHistogram({ ...integer, ...change })).toThrow(message);
});

test('custom buckets with different bounds are added over the bounds they share', () => {
  const a = custom([1, 2, 4], [1, 1, 1, 1]);
  const b = custom([2, 3, 4], [10, 10, 10, 10]);
  const { histogram, boundsReconciled } = addHistograms(a, b);
  expect(boundsReconciled).toBe(true);
  expect(histogram.customValues).toEqual([2, 4]);
  expect(histogram.positiveBuckets).toEqual([12, 21, 11]);
  expect(detectReset(custom([2, 3, 4], [2, 1, 1, 1]), a)).toBe(false);
  expect(detectReset(custom([2, 3, 4], [1, 2, 1, 1]), a)).toBe(true);
});

test('custom and exponential buckets do not mix', () => {
  expect(() => addHistograms(custom([1], [1]), toFloatHistogram(integer))).toThrow(
    'mix of exponential and custom',
  );
});

test('scaling by a negative factor makes a gauge, dividing by zero leaves no buckets', () => {
  const float = toFloatHistogram(integer);
  expect(scaleHistogram(float, -1)).toMatchObject({ counterResetHint: 'gauge', count: -8, sum: -10 });
  expect(divideHistogram(float, 0)).toMatchObject({ count: Number.POSITIVE_INFINITY, positiveBuckets: [] });
  expect(equalHistograms(scaleHistogram(float, 1), float)).toBe(true);
  expect(equalHistograms(scaleHistogram(float, 2), float)).toBe(false);
});

test('the standard deviation goes by the middles of the buckets', () => {
  const one = { ...custom([1, 3], [0, 4]), sum: 8 };
  expect(histogramStddev(one)).toBe(0);
});

test.each([
  [1_000_000, '1e+06'],
  [100_000, '100000'],
  [123_456_789, '1.23456789e+08'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [1e21, '1e+21'],
  [-0.5, '-0.5'],
])('%d is %s to Go', (value, text) => {
  expect(formatG(value)).toBe(text);
});

function histogramOf(golden: GoldenHistogram): FloatHistogram {
  const spans = (pairs: GoldenHistogram['ps']) => pairs.map(([offset, length]) => ({ offset, length }));
  return {
    kind: 'float',
    counterResetHint: golden.hint,
    schema: golden.schema,
    zeroThreshold: golden.zt,
    zeroCount: golden.zc,
    count: golden.c,
    sum: golden.sum,
    positiveSpans: spans(golden.ps),
    negativeSpans: spans(golden.ns),
    positiveBuckets: golden.pb,
    negativeBuckets: golden.nb,
    customValues: golden.cv ?? [],
  };
}

function custom(bounds: readonly number[], counts: readonly number[]): FloatHistogram {
  return {
    ...histogramOf(goldens[0].A),
    counterResetHint: 'unknown',
    schema: -53,
    zeroThreshold: 0,
    zeroCount: 0,
    count: counts.reduce((sum, count) => sum + count, 0),
    positiveSpans: [{ offset: 0, length: counts.length }],
    positiveBuckets: counts,
    negativeSpans: [],
    negativeBuckets: [],
    customValues: bounds,
  };
}

function parse(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}

/** The same, but for what Go's and JavaScript's logarithms differ in. */
function expectClose(actual: number, expected: number): void {
  if (Number.isFinite(expected))
    expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-14 * Math.max(1, Math.abs(expected)));
  else expect(actual).toBe(expected);
}
