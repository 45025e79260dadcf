import { afterEach, expect, test } from 'vitest';
import { snappyCompress } from '../encoding/snappy.ts';
import { VeronaError } from '../model/errors.ts';
import { Labels } from '../model/labels.ts';
import type { HttpResponse } from '../platform/http.ts';
import { SeededRandom } from '../platform/random.ts';
import { encodeWriteRequest } from '../proto/remote-write.ts';
import { encodeWriteRequestV2 } from '../proto/remote-write-v2.ts';
import type { TimeSeries } from '../proto/time-series.ts';
import type { LimitValues } from '../tenancy/limits.ts';
import { RemoteWriteHandler } from './remote-write-handler.ts';
import { NOW, PushKit } from './testdata/push-kit.ts';

const V1 = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
const V2 = { ...V1, 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' };

let kit: PushKit;
afterEach(() => kit.close());

async function open(limits: LimitValues = {}) {
  kit = await PushKit.open(limits);
  const handler = new RemoteWriteHandler(kit.context);
  return (body: Uint8Array, headers: Record<string, string> = V1): Promise<HttpResponse> =>
    handler.handle({ tenant: 'team-a', headers, body });
}

function series(labels: Record<string, string>, ...samples: [number, number][]): TimeSeries {
  return {
    labels: Object.entries(labels).flat(),
    samples: samples.map(([t, v]) => ({ t: NOW + t, v, startT: 0 })),
    histograms: [],
    exemplars: [],
  };
}

const v1 = (...timeSeries: TimeSeries[]) => snappyCompress(encodeWriteRequest({ timeSeries, metadata: [] }));
const v2 = (...timeSeries: TimeSeries[]) => snappyCompress(encodeWriteRequestV2({ timeSeries }));
const up = (...samples: [number, number][]) => series({ __name__: 'up', job: 'a' }, ...samples);

test('what is valid is stored and answered with 204, also when it comes again', async () => {
  const post = await open();
  const body = v1(up([0, 1], [1000, 2]), series({ job: 'b', __name__: 'up', empty: '' }, [0, 3]));
  expect(await post(body)).toEqual({ status: 204, headers: {} });
  expect((await post(v1(up([1000, 2])))).status).toBe(204);
  expect(await kit.stored()).toEqual({
    '{__name__="up", job="a"}': [
      [NOW, 1],
      [NOW + 1000, 2],
    ],
    '{__name__="up", job="b"}': [[NOW, 3]],
  });
});

test('an exemplar that is out of order is dropped without blaming the write', async () => {
  const post = await open();
  const exemplar = (t: number) => ({
    labels: Labels.from({ trace_id: `${t}` }),
    value: 1,
    t: NOW + t,
    hasTimestamp: true,
  });
  const sent = (t: number) => v2({ ...up([t, t]), exemplars: [exemplar(1000 - t)] });
  expect((await post(sent(0), V2)).headers).toMatchObject({
    'X-Prometheus-Remote-Write-Exemplars-Written': '1',
  });
  const second = await post(sent(500), V2);
  expect(second.status).toBe(204);
  expect(second.headers).toMatchObject({
    'X-Prometheus-Remote-Write-Samples-Written': '1',
    'X-Prometheus-Remote-Write-Exemplars-Written': '0',
  });
});

test('an answer to 2.0 counts what was written', async () => {
  const post = await open();
  const sent: TimeSeries = {
    ...series({ __name__: 'h' }),
    histograms: [
      {
        t: NOW,
        startT: 0,
        histogram: {
          kind: 'integer',
          counterResetHint: 'unknown',
          schema: 0,
          zeroThreshold: 0.001,
          zeroCount: 1,
          count: 3,
          sum: 4,
          positiveSpans: [{ offset: 0, length: 1 }],
          positiveBuckets: [2],
          negativeSpans: [],
          negativeBuckets: [],
          customValues: [],
        },
      },
    ],
    metadata: { type: 'histogram', unit: 's', help: 'x' },
  };
  expect(await post(v2(up([0, 1], [1, 2]), sent), V2)).toEqual({
    status: 204,
    headers: {
      'X-Prometheus-Remote-Write-Samples-Written': '2',
      'X-Prometheus-Remote-Write-Histograms-Written': '1',
      'X-Prometheus-Remote-Write-Exemplars-Written': '0',
    },
  });
  expect([...kit.head.metadata()]).toEqual([['h', [{ type: 'histogram', unit: 's', help: 'x' }]]]);
});

test('a part that is refused costs only itself, and is named', async () => {
  const post = await open();
  await post(v1(up([5000, 1])));
  const response = await post(
    v2(
      up([4000, 1], [5000, 9], [700_000, 1]),
      series({ job: 'nameless' }, [0, 1]),
      series({ __name__: 'ok' }, [0, 1]),
    ),
    V2,
  );
  expect(response.status).toBe(400);
  expect(response.headers).toMatchObject({ 'X-Prometheus-Remote-Write-Samples-Written': '1' });
  const lines = String(response.body).trimEnd().split('\n');
  expect(lines[0]).toBe(
    `out of order sample: series {__name__="up", job="a"}, timestamp ${NOW + 4000} ` +
      '(refused: 1 out_of_order, 1 duplicate_value, 1 too_far_future, 1 invalid_labels; stored: 1)',
  );
  expect(lines[1]).toContain('duplicate sample for timestamp: series {__name__="up", job="a"}');
  expect(lines[3]).toContain('missing metric name: series {job="nameless"}');
  expect(Object.keys(await kit.stored())).toEqual(['{__name__="ok"}', '{__name__="up", job="a"}']);
  expect(await kit.discarded()).toEqual({
    'sample-out-of-order': 1,
    'new-value-for-timestamp': 1,
    too_far_in_future: 1,
    missing_metric_name: 1,
  });
});

test.each<[LimitValues, Record<string, string>, string, string]>([
  [
    { max_label_names_per_series: 2 },
    { __name__: 'm', a: '1', b: '2' },
    'too many labels (actual: 3, limit: 2)',
    'max_label_names_per_series',
  ],
  [
    { max_label_name_length: 8 },
    { __name__: 'm', aaaaaaaaa: '1' },
    'label name too long (limit: 8 bytes): "aaaaaaaaa"',
    'label_name_too_long',
  ],
  [
    { max_label_value_length: 3 },
    { __name__: 'm', a: 'éé' },
    'label value too long (limit: 3 bytes) for label "a"',
    'label_value_too_long',
  ],
  [{}, { __name__: 'm', '': '1' }, 'label name is empty', 'label_invalid'],
  [{ max_series: 1 }, { __name__: 'm' }, 'per-tenant limit of 1 series exceeded', 'per_user_series_limit'],
])('with limits %j the series %j is refused', async (limits, labels, message, reason) => {
  const post = await open(limits);
  if (limits.max_series) await post(v1(up([0, 1])));
  const response = await post(v1(series(labels, [0, 1])));
  expect([response.status, String(response.body)]).toEqual([400, expect.stringContaining(message)]);
  expect(await kit.discarded()).toEqual({ [reason]: 1 });
});

test('sizes beyond the limits are 413', async () => {
  const post = await open({ max_request_size: 50, max_decoded_request_size: 60 });
  expect(await post(new Uint8Array(51))).toMatchObject({
    status: 413,
    body: 'the request has 51 bytes, 50 are allowed\n',
  });
  const zeros = snappyCompress(new Uint8Array(61));
  expect(zeros.length).toBeLessThan(50);
  expect(await post(zeros)).toMatchObject({ status: 413 });
});

test('a rate that is exceeded is 429 with the time to wait', async () => {
  const post = await open({ ingestion_rate: 2, ingestion_burst_size: 3 });
  expect((await post(v1(up([0, 1], [1, 1], [2, 1], [3, 1], [4, 1])))).status).toBe(204);
  const refused = await post(v1(up([5, 1])));
  expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '2' } });
  expect(await kit.discarded()).toEqual({ rate_limited: 1 });
  kit.nowMs = 2000;
  expect((await post(v1(up([5, 1])))).status).toBe(204);
});

test('what is no request is 400, of another kind 415', async () => {
  const post = await open();
  expect(await post(Uint8Array.of(255, 255))).toMatchObject({
    status: 400,
    body: expect.stringContaining('snappy'),
  });
  expect(await post(snappyCompress(Uint8Array.of(0x0a, 5, 1)))).toMatchObject({
    status: 400,
    body: expect.stringMatching(/ at 0\n$/),
  });
  expect((await post(v1(up([0, 1])), { 'content-type': 'text/plain' })).status).toBe(415);
});

test('storage that cannot take writes is 503 with the time to wait; a defect is nobody’s answer', async () => {
  const post = await open();
  kit.refusal = new VeronaError('unavailable', 'write-ahead log: disk full');
  expect(await post(v1(up([0, 1])))).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
  kit.refusal = new VeronaError('limit', '1000 tenants are open already');
  expect((await post(v1(up([0, 1])))).status).toBe(400);
  kit.refusal = new VeronaError('internal', 'defect');
  await expect(post(v1(up([0, 1])))).rejects.toThrow('defect');
});

test('mutated bodies are answered with 204, 400 or 413', async () => {
  const post = await open();
  const random = new SeededRandom(5);
  const plain = [
    encodeWriteRequest({ timeSeries: [up([0, 1]), series({ __name__: 'b', x: 'y' }, [0, 2])], metadata: [] }),
    encodeWriteRequestV2({ timeSeries: [up([0, 1]), series({ __name__: 'b', x: 'y' }, [0, 2])] }),
  ];
  const statuses = new Set<number>();
  for (let round = 0; round < 600; round++) {
    const bytes = plain[round % 2].slice();
    bytes[Math.floor(random.next() * bytes.length)] = Math.floor(random.next() * 256);
    const body = snappyCompress(bytes);
    if (round % 3 === 0) body[Math.floor(random.next() * body.length)] ^= 1 << Math.floor(random.next() * 8);
    statuses.add((await post(body, round % 2 === 0 ? V1 : V2)).status);
  }
  expect([...statuses].every((status) => [204, 400, 413].includes(status))).toBe(true);
  expect(statuses.has(400)).toBe(true);
});
