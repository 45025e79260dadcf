import { expect, test } from 'vitest';
import {
  type Annotation,
  forcedMonotonicityText,
  infoText,
  joinForcedMonotonicity,
  renderAnnotations,
  warningText,
} from './annotations.ts';

const QUERY = 'sum(\n  "é" + x)';
const at = (level: Annotation['level'], message: string, start: number): Annotation => ({
  level,
  message,
  span: { start, end: start + 1 },
});

test('a remark ends with its line and its column in bytes', () => {
  const remarks = [at('warning', warningText.invalidQuantile(1.5), QUERY.indexOf('x'))];
  expect(renderAnnotations(QUERY, remarks).warnings).toEqual([
    'PromQL warning: quantile value should be between 0 and 1, got 1.5 (2:10)',
  ]);
});

test('the same words are said once, and beyond the limit remarks are only counted', () => {
  const remarks = ['a', 'b', 'a', 'c', 'd'].map((metric, i) =>
    at('info', infoText.possibleNonCounter(metric), i),
  );
  const { infos, warnings } = renderAnnotations(QUERY, remarks, 2);
  expect(warnings).toEqual([]);
  expect(infos).toEqual([
    'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "a" (1:3)',
    'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "b" (1:2)',
    '2 more info annotations omitted',
  ]);
});

test('corrections of one metric are told as one', () => {
  const one = {
    metric: 'm',
    mint: 1000,
    maxt: 1000,
    minBucket: 0.1,
    maxBucket: 2,
    maxDifference: 0.123,
    samples: 1,
  };
  const both = joinForcedMonotonicity(one, { ...one, mint: 61_500, maxt: 61_500, minBucket: 0.05 });
  expect(forcedMonotonicityText(both)).toContain(
    'for metric name "m", from buckets 0.05 to 2, with a max diff of 0.12, over 2 samples from 1970-01-01T00:00:01Z to 1970-01-01T00:01:01Z',
  );
});

test('an empty metric name is left out where Prometheus leaves it out', () => {
  expect(warningText.mixedClassicNative('')).toBe(
    'PromQL warning: vector contains a mix of classic and native histograms',
  );
  expect(warningText.badBucketLabel('m_bucket', 'x')).toBe(
    'PromQL warning: bucket label "le" is missing or has a malformed value of "x" for metric name "m_bucket"',
  );
});
