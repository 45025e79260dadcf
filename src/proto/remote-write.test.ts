import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { WireWriter } from '../encoding/protobuf.ts';
import { Labels } from '../model/labels.ts';
import { isStale, STALE_NAN } from '../model/sample.ts';
import { encodeWriteRequest, readMetricMetadata, readTimeSeries, readWriteRequest } from './remote-write.ts';
import { encodeWriteRequestV2, readWriteRequestV2, SymbolTable } from './remote-write-v2.ts';
import { familyMetadata, timeSeries, timeSeriesV2 } from './testdata/messages.ts';
import { expectHardened } from './testdata/mutate.ts';
import type { TimeSeries } from './time-series.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

/** {__name__="up", job="x"} 1@1000 with an exemplar {trace="a"} 2@999, and metadata of `up`. */
const GOLDEN = hex(`
  0a 42
    0a0e 0a085f5f6e616d655f5f 12027570
    0a08 0a036a6f62 120178
    120c 09000000000000f03f 10e807
    1a18 0a0a 0a057472616365 120161  110000000000000040 18e707
  1a 0f 0802 12027570 22024869 2a0373656b
`);

test('a request of known bytes reads as what it says', () => {
  expect(readWriteRequest(GOLDEN)).toEqual({
    timeSeries: [
      {
        labels: ['__name__', 'up', 'job', 'x'],
        samples: [{ t: 1000, v: 1, startT: 0 }],
        exemplars: [{ labels: Labels.from({ trace: 'a' }), value: 2, t: 999, hasTimestamp: true }],
        histograms: [],
      },
    ],
    metadata: [{ family: 'up', metadata: { type: 'gauge', unit: 'sek', help: 'Hi' } }],
  });
});

test('what is written reads back, 1.0', () => {
  const request = fc.record({
    timeSeries: fc.array(timeSeries, { maxLength: 4 }),
    metadata: fc.array(familyMetadata, { maxLength: 3 }),
  });
  fc.assert(
    fc.property(request, (sent) => {
      expect(readWriteRequest(encodeWriteRequest(sent))).toEqual(sent);
    }),
  );
});

test('what is written reads back, 2.0', () => {
  fc.assert(
    fc.property(fc.array(timeSeriesV2, { maxLength: 4 }), (sent) => {
      expect(readWriteRequestV2(encodeWriteRequestV2({ timeSeries: sent })).timeSeries).toEqual(sent);
    }),
  );
});

const series = (labels: Labels, v = 1): TimeSeries => ({
  labels: labels.flat,
  samples: [{ t: 5, v, startT: 0 }],
  histograms: [],
  exemplars: [],
});

test('the labels written are the canonical label bytes', () => {
  const labels = Labels.from({ __name__: 'up', job: 'jöb' });
  const request = encodeWriteRequest({ timeSeries: [series(labels)], metadata: [] });
  const canonical = encodeLabels(labels);
  expect(request.subarray(2, 2 + canonical.length)).toEqual(canonical);
});

test('the staleness marker keeps its bits', () => {
  const sent = { timeSeries: [series(Labels.from({ a: 'b' }), STALE_NAN)], metadata: [] };
  expect(isStale(readWriteRequest(encodeWriteRequest(sent)).timeSeries[0].samples[0].v)).toBe(true);
});

test('one message is read out of the middle of a request', () => {
  const bytes = encodeWriteRequest({ timeSeries: [series(Labels.from({ a: 'b' }))], metadata: [] });
  expect(readTimeSeries(bytes, 2, bytes.length).labels).toEqual(['a', 'b']);
  const writer = new WireWriter();
  writer.string(2, 'm');
  writer.string(4, 'help');
  writer.int(99, 1);
  expect(readMetricMetadata(writer.bytes(), 0, writer.byteLength)).toEqual({
    family: 'm',
    metadata: { type: 'unknown', unit: '', help: 'help' },
  });
});

test('a field of a wrong kind is named with its offset', () => {
  expect(() => readWriteRequest(hex('0a04 1202 0a00'))).toThrow('protobuf: unexpected wire type');
  expect(() => readWriteRequest(hex('0a05 0a03 0a0578'))).toThrow('protobuf: field cut off at 4');
});

test('a span that claims more buckets than can be is refused', () => {
  const writer = new WireWriter();
  writer.message(1, () => writer.message(4, () => writer.message(11, () => writer.int(2, 4_000_000_000))));
  expect(() => readWriteRequest(writer.bytes())).toThrow('bucket span of 4000000000 buckets');
});

test.each([
  ['a number beyond the symbols', [0, 9], 'symbol 9 of 2'],
  ['an odd number of label refs', [0, 1, 1], '3 label refs, an odd number'],
])('%s is refused', (_, refs, message) => {
  const writer = new WireWriter();
  writer.string(4, '');
  writer.string(4, 'a');
  writer.message(5, () => writer.packedUints(1, refs));
  expect(() => readWriteRequestV2(writer.bytes())).toThrow(message);
});

test('symbols may follow the series, and the first one is empty', () => {
  const writer = new WireWriter();
  writer.message(5, () => writer.packedUints(1, [1, 2]));
  for (const symbol of ['', 'a', 'b']) writer.string(4, symbol);
  expect(readWriteRequestV2(writer.bytes()).timeSeries[0].labels).toEqual(['a', 'b']);
  const wrong = new WireWriter();
  wrong.string(4, 'x');
  expect(() => new SymbolTable(wrong.bytes())).toThrow('first symbol is not empty');
});

test('many symbols are found', () => {
  const writer = new WireWriter();
  for (let i = 0; i < 1000; i++) writer.string(4, i === 0 ? '' : `s${i}`);
  const symbols = new SymbolTable(writer.bytes());
  expect([symbols.size, symbols.at(999, 0)]).toEqual([1000, 's999']);
});

test('mutated requests read, or fail with bad_data', () => {
  const samples = fc.sample(fc.array(timeSeries, { minLength: 1, maxLength: 3 }), { numRuns: 20, seed: 1 });
  const v1 = samples.map((sent) => encodeWriteRequest({ timeSeries: sent, metadata: [] }));
  expectHardened(v1, readWriteRequest);
  const samplesV2 = fc.sample(fc.array(timeSeriesV2, { minLength: 1, maxLength: 3 }), {
    numRuns: 20,
    seed: 1,
  });
  expectHardened(
    samplesV2.map((sent) => encodeWriteRequestV2({ timeSeries: sent })),
    readWriteRequestV2,
  );
});
