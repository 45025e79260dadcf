import fc from 'fast-check';
import type { Exemplar } from '../../model/exemplar.ts';
import type { AnyHistogram, CounterResetHint } from '../../model/histogram.ts';
import { Labels } from '../../model/labels.ts';
import { METRIC_TYPES, type Metadata } from '../../model/metadata.ts';
import type { TimeSeries, WireHistogram, WireSample } from '../time-series.ts';

/** Generated messages for tests of the codecs. */

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
export const time = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
const double = fc.double();
const count = fc.nat(2 ** 31 - 1);

const flat = fc.array(fc.tuple(text, text), { maxLength: 6 }).map((pairs) => pairs.flat());
const labels = fc.array(fc.tuple(text, text), { maxLength: 4 }).map((pairs) => Labels.from(pairs));
const sample: fc.Arbitrary<WireSample> = fc.record({ t: time, v: double, startT: fc.constant(0) });
export const exemplar: fc.Arbitrary<Exemplar> = fc
  .record({ labels, value: double, t: time })
  .map((fields) => ({ ...fields, hasTimestamp: fields.t !== 0 }));
const metadata: fc.Arbitrary<Metadata> = fc.record({
  type: fc.constantFrom(...METRIC_TYPES),
  unit: text,
  help: text,
});

const span = fc.record({ offset: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), length: fc.nat(1000) });
const hint = fc.constantFrom<CounterResetHint>('unknown', 'reset', 'not_reset', 'gauge');
const histogramBase = {
  counterResetHint: hint,
  schema: fc.integer({ min: -53, max: 8 }),
  zeroThreshold: double,
  sum: double,
  positiveSpans: fc.array(span, { maxLength: 3 }),
  negativeSpans: fc.array(span, { maxLength: 3 }),
  customValues: fc.array(double, { maxLength: 3 }),
};
const integers = fc.array(fc.maxSafeInteger(), { maxLength: 4 });
const integerHistogram: fc.Arbitrary<AnyHistogram> = fc.record({
  ...histogramBase,
  kind: fc.constant('integer' as const),
  zeroCount: count,
  count,
  positiveBuckets: integers,
  negativeBuckets: integers,
});
const doubles = fc.array(double, { maxLength: 4 });
const floatHistogram: fc.Arbitrary<AnyHistogram> = fc.record({
  ...histogramBase,
  kind: fc.constant('float' as const),
  zeroCount: double,
  count: double,
  positiveBuckets: doubles,
  negativeBuckets: doubles,
});
const histogram: fc.Arbitrary<WireHistogram> = fc.record({
  t: time,
  histogram: fc.oneof(integerHistogram, floatHistogram),
  startT: fc.constant(0),
});

export const timeSeries: fc.Arbitrary<TimeSeries> = fc.record({
  labels: flat,
  samples: fc.array(sample, { maxLength: 4 }),
  histograms: fc.array(histogram, { maxLength: 2 }),
  exemplars: fc.array(exemplar, { maxLength: 2 }),
});

export const timeSeriesV2: fc.Arbitrary<TimeSeries> = fc.record({
  labels: flat,
  samples: fc.array(fc.record({ t: time, v: double, startT: time }), { maxLength: 4 }),
  histograms: fc.array(
    histogram.map((wire) => ({ ...wire, startT: wire.t })),
    { maxLength: 2 },
  ),
  exemplars: fc.array(exemplar, { maxLength: 2 }),
  metadata,
});

export const familyMetadata = fc.record({ family: text, metadata });
