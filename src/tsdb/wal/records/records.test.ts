import { expect, test } from 'vitest';
import { decodeLabels, encodeLabels } from '../../../encoding/label-bytes.ts';
import { VeronaError } from '../../../model/errors.ts';
import type { AnyHistogram } from '../../../model/histogram.ts';
import { Labels } from '../../../model/labels.ts';
import { STALE_NAN_BITS } from '../../../model/sample.ts';
import { SeededRandom } from '../../../platform/random.ts';
import { decodeHistogramRecord, encodeHistogramRecords, type HistogramSample } from './histogram-record.ts';
import {
  decodeExemplarsRecord,
  decodeMetadataRecord,
  decodeMmapMarkersRecord,
  decodeTombstonesRecord,
  encodeExemplarsRecord,
  encodeMetadataRecord,
  encodeMmapMarkersRecord,
  encodeTombstonesRecord,
} from './other-records.ts';
import { recordType } from './record-type.ts';
import { decodeSamplesRecord, encodeSamplesRecord, filterSamples } from './samples-record.ts';
import { SeriesRecordWriter, visitSeriesRecord } from './series-record.ts';
import {
  decodeStartedSamplesRecord,
  encodeStartedSamplesRecord,
  filterStartedSamples,
} from './started-samples-record.ts';

const integer: AnyHistogram = {
  kind: 'integer',
  counterResetHint: 'gauge',
  schema: 3,
  zeroThreshold: 1e-128,
  zeroCount: 2,
  count: 2 ** 40,
  sum: 18.4,
  positiveSpans: [
    { offset: -3, length: 2 },
    { offset: 4, length: 1 },
  ],
  negativeSpans: [],
  positiveBuckets: [1, -1, 7],
  negativeBuckets: [],
  customValues: [],
};
const custom: AnyHistogram = {
  ...integer,
  kind: 'float',
  schema: -53,
  positiveBuckets: [1.5, 0, 2],
  customValues: [0.5, 1, 10],
};

const histograms = [
  { ref: 9, t: 1000, histogram: integer },
  { ref: 4, t: 900, histogram: custom },
  { ref: 10, t: 1001, histogram: integer },
];
const exemplars = [
  { ref: 7, exemplar: { labels: Labels.from({ trace_id: 'é' }), value: 1.5, t: 5, hasTimestamp: true } },
  { ref: 3, exemplar: { labels: Labels.empty, value: -1, t: -5, hasTimestamp: true } },
];
const tombstones = [
  { ref: 1, mint: -(2 ** 63), maxt: 2 ** 40 },
  { ref: 2 ** 40, mint: 5, maxt: 6 },
];
const metadata = [{ ref: 300, metadata: { type: 'counter' as const, unit: 's', help: 'Länge' } }];

function seriesRecord(): Uint8Array {
  const writer = new SeriesRecordWriter();
  writer.add(1, encodeLabels(Labels.from({ __name__: 'a', b: 'c'.repeat(300) })));
  writer.add(2 ** 33, encodeLabels(Labels.from({ __name__: 'ü' })));
  return writer.take();
}

test('series come back as canonical label bytes', () => {
  const found: [number, string][] = [];
  visitSeriesRecord(seriesRecord(), (ref, bytes) => found.push([ref, decodeLabels(bytes).toString()]));
  expect(found).toEqual([
    [1, `{__name__="a", b="${'c'.repeat(300)}"}`],
    [2 ** 33, '{__name__="ü"}'],
  ]);
});

test('labels that are not in canonical form are brought into it', () => {
  const record = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 1, 3, 1, 98, 1, 50, 1, 97, 1, 49, 1, 99, 0);
  visitSeriesRecord(record, (_, bytes) =>
    expect(bytes).toEqual(encodeLabels(Labels.from({ a: '1', b: '2' }))),
  );
});

test('samples keep order, negative steps and the bits of staleness markers', () => {
  const values = new Float64Array([1, 0, -0, 2.5]);
  new BigUint64Array(values.buffer)[1] = STALE_NAN_BITS;
  const columns = {
    count: 4,
    refs: Float64Array.of(5, 1, 2 ** 34, 5),
    times: Float64Array.of(1e12, 1e12 - 7, 0, 1e12),
    values,
  };
  const decoded = decodeSamplesRecord(encodeSamplesRecord(filterSamples(columns, (_, t) => t > 0)));
  expect(decoded.count).toBe(3);
  expect([...decoded.refs.subarray(0, 3)]).toEqual([5, 1, 5]);
  expect([...decoded.times.subarray(0, 3)]).toEqual([1e12, 1e12 - 7, 1e12]);
  expect(new BigUint64Array(decoded.values.buffer)[1]).toBe(STALE_NAN_BITS);
});

test('histograms, exemplars, tombstones, markers and metadata come back as they were', () => {
  const records = encodeHistogramRecords(histograms);
  expect(records.map((record) => record[0])).toEqual([7, 10]);
  expect(records.flatMap(decodeHistogramRecord)).toEqual([histograms[0], histograms[2], histograms[1]]);
  expect(decodeExemplarsRecord(encodeExemplarsRecord(exemplars))).toEqual(exemplars);
  expect(decodeTombstonesRecord(encodeTombstonesRecord(tombstones))).toEqual(tombstones);
  expect(decodeMetadataRecord(encodeMetadataRecord(metadata))).toEqual(metadata);
  const markers = [{ ref: 1, chunkRef: 2 ** 40 + 8 }];
  expect(decodeMmapMarkersRecord(encodeMmapMarkersRecord(markers))).toEqual(markers);
});

const started = {
  count: 4,
  refs: Float64Array.of(5, 6, 6, 7),
  times: Float64Array.of(100, 115, 130, 100),
  startTimes: Float64Array.of(90, 90, 0, 95),
  values: Float64Array.of(1, 1, 1, 1),
};

test('samples with start timestamps have the bytes of Prometheus’ layout, both ways', () => {
  const one = '3ff0000000000000';
  const hex = `0b 0a c801 b401 ${one} 02 1e 01 ${one} 00 3c 00 ${one} 02 00 02 0a ${one}`.replaceAll(' ', '');
  expect(Buffer.from(encodeStartedSamplesRecord(started)).toString('hex')).toBe(hex);
  const decoded = decodeStartedSamplesRecord(Uint8Array.from(Buffer.from(hex, 'hex')));
  for (const name of ['refs', 'times', 'startTimes', 'values'] as const)
    expect([...decoded[name].subarray(0, decoded.count)]).toEqual([...started[name]]);
  const kept = filterStartedSamples(decoded, (t) => t > 100);
  expect([kept.count, [...kept.startTimes]]).toEqual([2, [90, 0]]);
});

const startedHistograms = [
  { ref: 9, t: 1000, histogram: integer, startT: 900 },
  { ref: 9, t: 1010, histogram: { ...custom, kind: 'integer', positiveBuckets: [1, 0, 2] }, startT: 900 },
  { ref: 10, t: 1001, histogram: integer, startT: 0 },
  { ref: 8, t: 1002, histogram: custom, startT: 1 },
] as readonly HistogramSample[];

test('histograms with start timestamps come back as they were, of all schemas in one record', () => {
  const records = encodeHistogramRecords(startedHistograms);
  expect(records.map((record) => record[0])).toEqual([12, 7, 13]);
  const decoded = records.flatMap(decodeHistogramRecord);
  expect(decoded.map(({ startT = 0 }) => startT)).toEqual([900, 900, 0, 1]);
  expect(decoded.map(({ ref, t, histogram }) => ({ ref, t, histogram }))).toEqual(
    startedHistograms.map(({ ref, t, histogram }) => ({ ref, t, histogram })),
  );
});

test('records of unknown types are recognized as such', () => {
  expect([
    recordType(new Uint8Array(0)),
    recordType(Uint8Array.of(99)),
    recordType(Uint8Array.of(2)),
  ]).toEqual([undefined, undefined, 2]);
});

const samples = encodeSamplesRecord({
  count: 2,
  refs: Float64Array.of(1, 2),
  times: Float64Array.of(3, 4),
  values: Float64Array.of(5, 6),
});
const decoders: [string, Uint8Array, (record: Uint8Array) => unknown][] = [
  ['series', seriesRecord(), (record) => visitSeriesRecord(record, () => undefined)],
  ['samples', samples, decodeSamplesRecord],
  ['integer histograms', encodeHistogramRecords(histograms)[0], decodeHistogramRecord],
  ['custom histograms', encodeHistogramRecords(histograms)[1], decodeHistogramRecord],
  ['samples with start', encodeStartedSamplesRecord(started), decodeStartedSamplesRecord],
  ['histograms with start', encodeHistogramRecords(startedHistograms)[0], decodeHistogramRecord],
  ['exemplars', encodeExemplarsRecord(exemplars), decodeExemplarsRecord],
  ['tombstones', encodeTombstonesRecord(tombstones), decodeTombstonesRecord],
  ['metadata', encodeMetadataRecord(metadata), decodeMetadataRecord],
];

test.each(decoders)('mutated %s decode or are corrupt', (_, record, decode) => {
  const random = new SeededRandom(record.length);
  for (let round = 0; round < 2000; round++) {
    const bytes = record.slice(
      0,
      random.next() < 0.3 ? Math.ceil(random.next() * record.length) : record.length,
    );
    for (let i = 0; i < 2; i++)
      bytes[Math.floor(random.next() * bytes.length)] = Math.floor(random.next() * 256);
    try {
      decode(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(VeronaError);
      expect((error as VeronaError).code).toBe('corrupt');
    }
  }
});
