import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { bucketIndexes } from '../model/histogram-spans.ts';
import { compareLabels } from '../model/labels.ts';
import { isStale } from '../model/sample.ts';
import type { HttpResponse } from '../platform/http.ts';
import { SeededRandom } from '../platform/random.ts';
import type { ExponentialPoint, MetricData, OtlpRequest } from '../proto/otlp.ts';
import { encodeOtlpRequest, readOtlpResponse } from '../proto/otlp-write.ts';
import { OTLP_JSON, OTLP_REQUEST } from '../proto/testdata/otlp.ts';
import type { LimitValues } from '../tenancy/limits.ts';
import { OtlpHandler } from './otlp-handler.ts';
import { toNativeHistogram } from './otlp-histogram.ts';
import { type OtlpOptions, plainNumber } from './otlp-translate.ts';
import { PushKit } from './testdata/push-kit.ts';

const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };
const DEFAULTS: OtlpOptions = {
  translationStrategy: 'UnderscoreEscapingWithSuffixes',
  promoteResourceAttributes: [],
};

let kit: PushKit;
let opened: PushKit[] = [];
afterEach(async () => {
  for (const one of opened) await one.close();
  opened = [];
});

async function open(options: Partial<OtlpOptions> = {}, limits: LimitValues = {}) {
  kit = await PushKit.open(limits);
  opened.push(kit);
  const handler = new OtlpHandler(kit.context, { ...DEFAULTS, ...options });
  return (body: Uint8Array, headers: Record<string, string> = PROTOBUF): Promise<HttpResponse> =>
    handler.handle({ tenant: 'team-a', headers, body, signal: new AbortController().signal });
}

const ID = 'instance="i-1", job="web/shop"';
const STORED = {
  [`{__name__="http_duration_seconds_bucket", ${ID}, le="+Inf"}`]: [[5000, 6]],
  [`{__name__="http_duration_seconds_bucket", ${ID}, le="0.25"}`]: [[5000, 1]],
  [`{__name__="http_duration_seconds_bucket", ${ID}, le="1"}`]: [[5000, 3]],
  [`{__name__="http_duration_seconds_count", ${ID}}`]: [[5000, 6]],
  [`{__name__="http_duration_seconds_sum", ${ID}}`]: [[5000, 3.5]],
  [`{__name__="http_requests_total", http_method="GET", ${ID}, ok="true"}`]: [[5000, 42]],
  [`{__name__="latency_milliseconds", ${ID}}`]: [[5000, expect.objectContaining({ count: 11, schema: 3 })]],
  [`{__name__="memory_usage_bytes", ${ID}, pool="heap"}`]: [[5000, 1.5]],
  [`{__name__="rpc_time", ${ID}, quantile="0.5"}`]: [[5000, 2]],
  [`{__name__="rpc_time", ${ID}, quantile="0.99"}`]: [[5000, 7]],
  [`{__name__="rpc_time_count", ${ID}}`]: [[5000, 3]],
  [`{__name__="rpc_time_sum", ${ID}}`]: [[5000, 9]],
  [`{__name__="target_info", host_name="h1", ${ID}, nested="{\\"a\\":[1],\\"b\\":2}", ports="[80,\\"x\\",true,1.5,null]", raw="AQL/"}`]:
    [[5000, 1]],
};

test.each<[string, Uint8Array, Record<string, string>]>([
  ['protobuf', encodeOtlpRequest(OTLP_REQUEST), PROTOBUF],
  ['gzip', gzipSync(encodeOtlpRequest(OTLP_REQUEST)), { ...PROTOBUF, 'content-encoding': 'gzip' }],
  ['JSON', Buffer.from(JSON.stringify(OTLP_JSON)), JSON_TYPE],
])('every kind of metric becomes the series Prometheus makes of it, from %s', async (_, body, headers) => {
  const post = await open();
  const response = await post(body, headers);
  expect(response.status).toBe(200);
  expect(String(response.body)).toBe(headers === JSON_TYPE ? '{}' : '');
  expect(await kit.stored()).toEqual(STORED);
  const metadata = Object.fromEntries(kit.head.metadata());
  expect(metadata['http_requests_total']).toEqual([{ type: 'counter', unit: '', help: 'Requests' }]);
  expect(metadata['http_duration_seconds']).toEqual([
    { type: 'histogram', unit: 'seconds', help: 'Duration' },
  ]);
});

test('exemplars stand beside the counter and in the bucket of their value', async () => {
  const post = await open();
  await post(encodeOtlpRequest(OTLP_REQUEST));
  const exemplars = await kit.head.exemplars([[]], 0, 1e12);
  const found = exemplars.toSorted((a, b) => compareLabels(a.labels, b.labels));
  expect(
    found.map(({ labels, exemplars }) => [
      labels.get('__name__'),
      labels.get('le'),
      exemplars[0].labels.toJSON(),
    ]),
  ).toEqual([
    ['http_duration_seconds_bucket', '1', { user: 'u2' }],
    [
      'http_requests_total',
      '',
      { user: 'u1', trace_id: '000102030405060708090a0b0c0d0e0f', span_id: '0001020304050607' },
    ],
  ]);
});

test('resource attributes and the scope become labels when told to', async () => {
  const post = await open({
    promoteResourceAttributes: ['host.name'],
    promoteScopeMetadata: true,
    keepIdentifyingResourceAttributes: true,
    translationStrategy: 'NoTranslation',
  });
  await post(encodeOtlpRequest(OTLP_REQUEST));
  const names = Object.keys(await kit.stored());
  expect(names).toContain(
    `{__name__="memory.usage", "host.name"="h1", ${ID}, otel_scope_flavour="x", otel_scope_name="lib", ` +
      'otel_scope_schema_url="https://schema", otel_scope_version="1.2", pool="heap"}',
  );
  expect(names.find((name) => name.includes('target_info'))).toContain('"service.name"="shop"');
});

function request(
  data: MetricData,
  attributes: OtlpRequest['resourceMetrics'][0]['attributes'] = [],
): OtlpRequest {
  const metrics = [{ name: 'm', description: '', unit: '', data }];
  const scope = { name: '', version: '', schemaUrl: '', attributes: [], metrics };
  return { resourceMetrics: [{ attributes, scopeMetrics: [scope] }] };
}

const point = (t: number, value: number, more: object = {}) => ({
  attributes: [],
  startT: 0,
  t,
  noRecordedValue: false,
  value,
  exemplars: [],
  ...more,
});

test('a point without a recorded value is a stale marker', async () => {
  const post = await open();
  await post(
    encodeOtlpRequest(
      request({ kind: 'gauge', points: [point(1, 1), point(2, 0, { noRecordedValue: true })] }),
    ),
  );
  const samples = (await kit.stored())['{__name__="m"}'];
  expect(samples.map(([, value]) => isStale(value as number))).toEqual([false, true]);
});

test('delta temporality is refused with a word, the rest is stored', async () => {
  const post = await open();
  const delta = request({
    kind: 'sum',
    temporality: 'delta',
    isMonotonic: true,
    points: [point(1, 1), point(2, 1)],
  });
  const both = { resourceMetrics: [...delta.resourceMetrics, ...OTLP_REQUEST.resourceMetrics] };
  const partial = await post(encodeOtlpRequest(both));
  expect(partial.status).toBe(200);
  expect(readOtlpResponse(partial.body as Uint8Array)).toEqual({
    rejectedDataPoints: 2,
    errorMessage: 'metric "m" has delta temporality, cumulative is needed',
  });
  expect(await kit.stored()).toEqual(STORED);
  const alone = await post(encodeOtlpRequest(delta));
  expect(alone.status).toBe(400);
});

test('points out of order are rejected and named', async () => {
  const post = await open();
  await post(encodeOtlpRequest(request({ kind: 'gauge', points: [point(5000, 1)] })));
  const again = await post(
    encodeOtlpRequest(request({ kind: 'gauge', points: [point(4000, 1), point(6000, 2)] })),
  );
  expect(readOtlpResponse(again.body as Uint8Array)).toEqual({
    rejectedDataPoints: 1,
    errorMessage: 'out of order sample: series {__name__="m"}, timestamp 4000',
  });
  expect(await kit.discarded()).toEqual({ 'sample-out-of-order': 1 });
});

test('a large request lets others run, and ends when its client hangs up', async () => {
  await open();
  const points = Array.from({ length: 2000 }, (_, i) => point(i + 1, i));
  const body = encodeOtlpRequest(request({ kind: 'gauge', points }));
  const handler = new OtlpHandler(kit.context, DEFAULTS);
  const hangUp = new AbortController();
  const answered = handler.handle({ tenant: 'a', headers: PROTOBUF, body, signal: hangUp.signal });
  setImmediate(() => hangUp.abort());
  await expect(answered).rejects.toMatchObject({ code: 'canceled' });
  expect(await kit.stored()).toEqual({});
  const signal = new AbortController().signal;
  const whole = await handler.handle({ tenant: 'a', headers: PROTOBUF, body, signal });
  expect(whole.status).toBe(200);
  expect((await kit.stored())['{__name__="m"}'].length).toBe(2000);
});

test('limits on labels hold for OTLP too', async () => {
  const post = await open({}, { max_label_value_length: 3 });
  const long = request({ kind: 'gauge', points: [point(1, 1, { attributes: [['a', 'long']] })] });
  const response = await post(encodeOtlpRequest(long), PROTOBUF);
  expect(response.status).toBe(400);
  expect(Buffer.from(response.body as Uint8Array).toString()).toContain(
    'label value too long (limit: 3 bytes)',
  );
});

test('target_info covers a long request, within bounds', async () => {
  const post = await open();
  const attributes = [
    ['service.name', 's'],
    ['host', 'h'],
  ] as const;
  await post(
    encodeOtlpRequest(request({ kind: 'gauge', points: [point(0, 1), point(400_000, 1)] }, attributes)),
  );
  const info = (await kit.stored())['{__name__="target_info", host="h", job="s"}'];
  expect(info.map(([t]) => t)).toEqual([0, 150_000, 300_000, 400_000]);
  await post(
    encodeOtlpRequest(request({ kind: 'gauge', points: [point(500_000, 1), point(1e12, 1)] }, attributes)),
  );
  expect((await kit.stored())['{__name__="target_info", host="h", job="s"}'].length).toBe(4 + 101);
});

test('answers to failures have the form of the request', async () => {
  const post = await open({}, { ingestion_rate: 1, ingestion_burst_size: 1, max_decoded_request_size: 1000 });
  expect(await post(Buffer.from('{'), JSON_TYPE)).toMatchObject({
    status: 400,
    headers: { 'content-type': 'application/json' },
    body: expect.stringMatching(/^\{"code":3,"message":"JSON: /),
  });
  expect((await post(Uint8Array.of(1), { 'content-type': 'text/plain' })).status).toBe(415);
  expect((await post(Uint8Array.of(1), { ...PROTOBUF, 'content-encoding': 'br' })).status).toBe(415);
  const gzip = { ...PROTOBUF, 'content-encoding': 'gzip' };
  expect((await post(Uint8Array.of(1, 2, 3), gzip)).status).toBe(400);
  expect((await post(gzipSync(new Uint8Array(2000)), gzip)).status).toBe(413);
  expect((await post(new Uint8Array(1001))).status).toBe(413);
  const two = encodeOtlpRequest(request({ kind: 'gauge', points: [point(1, 1), point(2, 1), point(3, 1)] }));
  expect((await post(two)).status).toBe(200);
  expect(await post(two)).toMatchObject({ status: 429, headers: { 'retry-after': '3' } });
});

const exponential = (fields: Partial<ExponentialPoint>): ExponentialPoint => ({
  attributes: [],
  startT: 0,
  t: 1,
  noRecordedValue: false,
  count: 0,
  sum: undefined,
  scale: 0,
  zeroCount: 0,
  zeroThreshold: 0,
  positive: { offset: 0, counts: [] },
  negative: { offset: 0, counts: [] },
  exemplars: [],
  ...fields,
});

test('indexes of exponential buckets move by one, and merge when the scale is reduced', () => {
  const same = toNativeHistogram(
    exponential({ scale: 8, positive: { offset: -2, counts: [1, 0, 0, 0, 0, 5] } }),
  );
  expect([same.schema, bucketIndexes(same.positiveSpans), same.positiveBuckets]).toEqual([
    8,
    [-1, 4],
    [1, 4],
  ]);
  const near = toNativeHistogram(exponential({ positive: { offset: 0, counts: [1, 0, 2] } }));
  expect([near.positiveSpans, near.positiveBuckets]).toEqual([[{ offset: 1, length: 3 }], [1, -1, 2]]);
  // Scale 10 → 8: four buckets become one; -4 … 3 are buckets -1 and 0, which Prometheus calls 0 and 1.
  const merged = toNativeHistogram(
    exponential({ scale: 10, positive: { offset: -4, counts: [1, 1, 1, 1, 2, 2, 2, 2] } }),
  );
  expect([merged.schema, bucketIndexes(merged.positiveSpans), merged.positiveBuckets]).toEqual([
    8,
    [0, 1],
    [4, 4],
  ]);
  expect(merged.zeroThreshold).toBe(1e-128);
  const stale = toNativeHistogram(
    exponential({ noRecordedValue: true, positive: { offset: 0, counts: [1] } }),
  );
  expect([isStale(stale.sum), stale.positiveSpans]).toEqual([true, []]);
  expect(() => toNativeHistogram(exponential({ scale: -5 }))).toThrow('scale -5, at least -4');
  expect(() => toNativeHistogram(exponential({ positive: { offset: 2 ** 31, counts: [1] } }))).toThrow(
    'from index',
  );
});

test.each([
  [0.1, '0.1'],
  [1e21, '1000000000000000000000'],
  [1.5e-7, '0.00000015'],
  [-2.5e22, '-25000000000000000000000'],
  [Infinity, '+Inf'],
  [-Infinity, '-Inf'],
  [100, '100'],
])('the bound %d is written as %s', (value, text) => {
  expect(plainNumber(value)).toBe(text);
});

test('mutated requests are answered with 200 or 400', async () => {
  const post = await open();
  const random = new SeededRandom(11);
  const valid = [encodeOtlpRequest(OTLP_REQUEST), new TextEncoder().encode(JSON.stringify(OTLP_JSON))];
  const statuses = new Set<number>();
  for (let round = 0; round < 400; round++) {
    const bytes = valid[round % 2].slice();
    for (let n = 0; n < 3; n++)
      bytes[Math.floor(random.next() * bytes.length)] = Math.floor(random.next() * 256);
    statuses.add((await post(bytes, round % 2 === 0 ? PROTOBUF : JSON_TYPE)).status);
  }
  expect([...statuses].sort()).toEqual([200, 400]);
});
