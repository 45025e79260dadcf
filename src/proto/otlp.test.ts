import { expect, test } from 'vitest';
import { WireWriter } from '../encoding/protobuf.ts';
import { type AttributeValue, attributeText } from './otlp.ts';
import { readOtlpJson } from './otlp-json.ts';
import { readOtlpRequest } from './otlp-protobuf.ts';
import { encodeOtlpRequest, encodeOtlpResponse, encodeRpcStatus, readOtlpResponse } from './otlp-write.ts';
import { expectHardened } from './testdata/mutate.ts';
import { OTLP_JSON, OTLP_REQUEST } from './testdata/otlp.ts';

/** Bytes compare by content, whatever array holds them. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  return value;
}

test('what is written as protobuf reads back', () => {
  expect(plain(readOtlpRequest(encodeOtlpRequest(OTLP_REQUEST)))).toEqual(plain(OTLP_REQUEST));
});

test('JSON says the same as protobuf', () => {
  expect(plain(readOtlpJson(JSON.stringify(OTLP_JSON)))).toEqual(plain(OTLP_REQUEST));
});

test('an integer value and packed or single buckets read alike', () => {
  const writer = new WireWriter();
  const point = () => {
    writer.message(1, () => {
      writer.fixed64(4, 3n);
      writer.view(6, new Uint8Array(new BigUint64Array([1n, 2n]).buffer));
      writer.fixed64(6, 3n);
      writer.double(7, 1.5);
    });
  };
  writer.message(1, () => writer.message(2, () => writer.message(2, () => writer.message(9, point))));
  const { data } = readOtlpRequest(writer.bytes()).resourceMetrics[0].scopeMetrics[0].metrics[0];
  expect(data).toMatchObject({ kind: 'histogram', points: [{ bucketCounts: [1, 2, 3], bounds: [1.5] }] });
});

test.each<[AttributeValue, string]>([
  [undefined, ''],
  ['text', 'text'],
  [true, 'true'],
  [-(2n ** 63n), '-9223372036854775808'],
  [1.5, '1.5'],
  [Uint8Array.of(255, 0), '/wA='],
  [['a', 1n, [true]], '["a",1,[true]]'],
  [
    {
      pairs: [
        ['b', 1n],
        ['a', undefined],
      ],
    },
    '{"a":null,"b":1}',
  ],
])('the text of attribute %s is %s', (value, text) => {
  expect(attributeText(value)).toBe(text);
});

test('values nested too deeply are refused in both forms', () => {
  let value: AttributeValue = 'x';
  let json: unknown = { stringValue: 'x' };
  for (let i = 0; i < 40; i++) {
    value = [value];
    json = { arrayValue: { values: [json] } };
  }
  const request = { resourceMetrics: [{ attributes: [['a', value] as const], scopeMetrics: [] }] };
  expect(() => readOtlpRequest(encodeOtlpRequest(request))).toThrow('attribute value deeper than 32');
  const text = JSON.stringify({
    resourceMetrics: [{ resource: { attributes: [{ key: 'a', value: json }] } }],
  });
  expect(() => readOtlpJson(text)).toThrow('is not at a depth of 32 or less');
});

test.each([
  ['[', 'JSON: '],
  ['[]', 'JSON: the request is not an object'],
  ['{"resourceMetrics":{}}', 'JSON: resourceMetrics is not a list'],
  ['{"resourceMetrics":[1]}', 'JSON: resourceMetrics[0] is not an object'],
  ['{"resourceMetrics":[{"scopeMetrics":[{"schemaUrl":1}]}]}', 'scopeMetrics[0].schemaUrl is not a text'],
  [metric('"gauge":{"dataPoints":[{"timeUnixNano":"x"}]}'), 'dataPoints[0].timeUnixNano is not an integer'],
  [
    metric('"gauge":{"dataPoints":[{"timeUnixNano":"18446744073709551616"}]}'),
    'is not an integer of 64 bits',
  ],
  [metric('"gauge":{"dataPoints":[{"asDouble":"1x"}]}'), 'dataPoints[0].asDouble is not a number'],
  [metric('"sum":{"dataPoints":[{"exemplars":[{"traceId":"xyz"}]}]}'), 'traceId is not hexadecimal'],
  [metric('"sum":{"isMonotonic":"yes"}'), 'isMonotonic is not true or false'],
])('the JSON %s is refused: %s', (text, message) => {
  expect(() => readOtlpJson(text)).toThrow(message);
});

function metric(fields: string): string {
  return `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m",${fields}}]}]}]}`;
}

test('JSON of a million brackets is refused without running out of stack', () => {
  expect(() => readOtlpJson(`{"resourceMetrics":${'['.repeat(1e6)}`)).toThrow('JSON: ');
  expect(() => readOtlpJson(`{"x":${'['.repeat(1e6)}${']'.repeat(1e6)},"resourceMetrics":1}`)).toThrow(
    'not a list',
  );
});

test('numbers JSON has no word for are texts', () => {
  const points = '[{"asDouble":"NaN"},{"asDouble":"Infinity"},{"asDouble":"-Infinity"},{"asDouble":"1e3"}]';
  const request = readOtlpJson(metric(`"gauge":{"dataPoints":${points}}`));
  const { data } = request.resourceMetrics[0].scopeMetrics[0].metrics[0];
  expect(data?.points.map((point) => (point as { value: number }).value)).toEqual([
    NaN,
    Infinity,
    -Infinity,
    1000,
  ]);
});

test('answers say what was left out, and nothing when nothing was', () => {
  expect(encodeOtlpResponse({ rejectedDataPoints: 0, errorMessage: '' }).length).toBe(0);
  const partial = { rejectedDataPoints: 3, errorMessage: 'delta' };
  expect(readOtlpResponse(encodeOtlpResponse(partial))).toEqual(partial);
  expect([...encodeRpcStatus(3, 'no')]).toEqual([8, 3, 18, 2, 110, 111]);
});

test('mutated requests read, or fail with bad_data', () => {
  expectHardened([encodeOtlpRequest(OTLP_REQUEST)], readOtlpRequest);
  expectHardened([Buffer.from(JSON.stringify(OTLP_JSON))], (bytes) =>
    readOtlpJson(Buffer.from(bytes).toString()),
  );
});
