import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeChunk } from '../src/chunkenc/chunk.ts';
import { snappyCompress, snappyDecompress } from '../src/encoding/snappy.ts';
import { Labels } from '../src/model/labels.ts';
import { Matcher } from '../src/model/matcher.ts';
import {
  encodeReadRequest,
  type ReadResponseType,
  readFrames,
  readReadResponse,
} from '../src/proto/remote-read.ts';
import { type AskedQuery, ask, differences, type Moment } from './compare.ts';
import { type Peer, startPrometheus, startVerona } from './peers.ts';
import { exemplar, floats, histograms, push, send, sendBody } from './push.ts';

/** Clients of many kinds on one running Verona: what they send is kept apart and what they read is what Prometheus says. */
const STEP_MS = 10_000;
const STEPS = 180;
const NEWEST = Math.floor(Date.now() / STEP_MS) * STEP_MS;
const moment: Moment = { time: NEWEST / 1000 + 0.5, rangeSeconds: 1200, stepSeconds: 37 };
const WHOLE = { mint: NEWEST - STEPS * STEP_MS, maxt: NEWEST };

let folder: string;
let verona: Peer;
let reference: Peer;

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  verona = await startVerona(join(folder, 'verona'), [
    '--self-metrics.enabled=false',
    '--http.enable-admin-api=true',
  ]);
  reference = await startPrometheus(join(folder, 'reference'));
  const steps = Array.from({ length: STEPS }, (_, k) => k);
  const at = (step: number) => NEWEST - (STEPS - 1 - step) * STEP_MS;
  const series = ['a', 'b', 'c', 'd'].flatMap((host, i) => [
    floats(
      { __name__: 'requests_total', host },
      steps.map((k) => [at(k), (k % 50) * (i + 1)]),
    ),
    floats(
      { __name__: 'leaves', host, instance: `${host}:1` },
      steps.map((k) => [at(k), k % 40 === 39 ? 'stale' : k]),
    ),
  ]);
  for (const peer of [verona, reference]) await push(peer.writeUrl, series);
}, 120_000);

afterAll(async () => {
  await Promise.all([reference?.process.stop(), verona?.process.stop()]);
  if (folder) await rm(folder, { recursive: true, force: true });
});

describe('a Prometheus that has nothing itself', () => {
  const queries: AskedQuery[] = [
    ['instant', '{__name__=~".+"}[30m]'],
    ['range', 'sum by (host) (rate(requests_total[5m]))'],
    ['range', 'leaves'],
    ['range', 'max_over_time(leaves{host!~"a|b"}[2m] offset 3m)'],
    ['instant', 'topk(2, requests_total)'],
  ].map(([how, query]) => ({ how, query }) as AskedQuery);

  test('answers from Verona by remote read', async () => {
    const config = `remote_read: [{url: '${verona.url}/api/v1/read', read_recent: true}]\n`;
    const reader = await startPrometheus(join(folder, 'reader'), config);
    try {
      expect(await differences(reference.url, reader.url, queries, moment)).toEqual([]);
      expect((await ask(reader.url, queries[0], moment)).data?.result).toHaveLength(8);
    } finally {
      await reader.process.stop();
    }
  });

  test('gets what Verona has by federation', async () => {
    const config = `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: federate
    honor_labels: true
    metrics_path: /federate
    params: {'match[]': ['{__name__=~"fed_.+"}']}
    static_configs: [{targets: ['${new URL(verona.url).host}']}]
`;
    const federated = await startPrometheus(join(folder, 'federated'), config);
    try {
      await firstScrape(federated);
      for (let round = 0; round < 3; round++) {
        const now = Date.now();
        const series = ['x', 'y'].map((host) =>
          floats({ __name__: 'fed_gauge', host, instance: `${host}:9`, job: 'j' }, [[now, round / 2]]),
        );
        series.push(floats({ __name__: 'fed_plain', host: 'x"\\\n' }, [[now, Number.POSITIVE_INFINITY]]));
        for (const peer of [verona, reference]) await push(peer.writeUrl, series);
        await wait(2500);
      }
      const now = { ...moment, time: Date.now() / 1000 };
      // A series without a job or an instance gets the federating job, and keeps no instance.
      const gauges = { how: 'instant', query: '{__name__="fed_gauge"}[1m]' } as const;
      expect(await differences(verona.url, federated.url, [gauges], now)).toEqual([]);
      const plain = (await ask(federated.url, { how: 'instant', query: 'fed_plain[1m]' }, now)).data
        ?.result as object[];
      expect(plain).toMatchObject([{ values: { length: 3 } }]);
      expect(plain[0]).toHaveProperty('metric', { __name__: 'fed_plain', host: 'x"\\\n', job: 'federate' });
      expect(await federateLines(verona.url)).toEqual(await federateLines(reference.url));
    } finally {
      await federated.process.stop();
    }
  });
});

test.each(['samples', 'streamed_chunks'] as const)(
  'remote read as %s gives what Prometheus gives',
  async (type) => {
    const matchers = [new Matcher('=~', '__name__', 'requests_total|leaves'), new Matcher('!=', 'host', 'b')];
    const [ours, theirs] = await Promise.all(
      [verona, reference].map((peer) => remoteRead(peer.url, type, matchers)),
    );
    expect(ours).toEqual(theirs);
    expect(ours.size).toBe(6);
  },
);

test('OTLP as JSON is stored under Prometheus’ names', async () => {
  const timeUnixNano = `${NEWEST}000000`;
  const point = (attributes: Record<string, string>, value: object) => ({
    timeUnixNano,
    attributes: attributesOf(attributes),
    ...value,
  });
  const metrics = [
    {
      name: 'http.server.requests',
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: [
          point({ 'http.method': 'GET' }, { asInt: '42' }),
          point({ 'http.method': 'PUT' }, { asInt: '7' }),
        ],
      },
    },
    { name: 'memory.usage', unit: 'By', gauge: { dataPoints: [point({}, { asDouble: 1.5 })] } },
  ];
  const resource = { attributes: attributesOf({ 'service.name': 'shop', 'host.name': 'h1' }) };
  const response = await fetch(`${verona.url}/otlp/v1/metrics`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] }),
  });
  expect([response.status, await response.json()]).toEqual([200, {}]);
  expect(await valuesOf('http_server_requests_total{job="shop"}', 'http_method')).toEqual({
    GET: '42',
    PUT: '7',
  });
  expect(await valuesOf('memory_usage_bytes', 'job')).toEqual({ shop: '1.5' });
  expect(await valuesOf('target_info', 'host_name')).toEqual({ h1: '1' });
});

test('remote write 2.0 is answered with what was written', async () => {
  const metadata = { type: 'counter', unit: 'bytes', help: 'Bytes sent.' } as const;
  const response = await send(
    verona.writeUrl,
    [
      {
        ...floats(
          { __name__: 'sent_total', v: '2' },
          [
            [NEWEST - 1, 1],
            [NEWEST, 2],
          ],
          [exemplar('t1', 2, NEWEST)],
        ),
        metadata,
      },
      histograms({ __name__: 'sent_sizes' }, [[NEWEST, 5]]),
    ],
    { version: 2 },
  );
  expect(response.status).toBe(204);
  const written = ['samples', 'histograms', 'exemplars'].map((kind) =>
    response.headers.get(`x-prometheus-remote-write-${kind}-written`),
  );
  expect(written).toEqual(['2', '1', '1']);
  expect(await valuesOf('sent_total', 'v')).toEqual({ 2: '2' });
  expect(await valuesOf('histogram_count(sent_sizes)', 'v')).toEqual({ undefined: '11' });
  const about = await json('/api/v1/metadata?metric=sent_total');
  expect(about).toEqual({ sent_total: [metadata] });
});

test('what is no write is refused: other types, other compressions, bombs, noise', async () => {
  const body = snappyCompress(new Uint8Array(10)).slice();
  const status = async (headers: Record<string, string>, sent: Uint8Array<ArrayBuffer> = body) =>
    (await fetch(verona.writeUrl, { method: 'POST', headers, body: sent })).status;
  const snappy = { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' };
  expect(await status({ ...snappy, 'content-type': 'application/json' })).toBe(415);
  expect(await status({ ...snappy, 'content-type': 'application/x-protobuf;proto=io.other.Request' })).toBe(
    415,
  );
  expect(await status({ ...snappy, 'content-encoding': 'gzip' })).toBe(415);
  expect(await status(snappy, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0))).toBe(413);
  expect(await status(snappy, snappyCompress(new Uint8Array(101 * 1024 * 1024)).slice())).toBe(413);
  expect(await status(snappy, new Uint8Array(33 * 1024 * 1024))).toBe(413);
  expect(await status(snappy, new TextEncoder().encode('no snappy at all'))).toBe(400);
  expect(await status(snappy, snappyCompress(new Uint8Array(1000).fill(255)).slice())).toBe(400);
  expect(verona.process.exited).toBe(false);
});

test('clients that hang up leave nothing behind', async () => {
  const { port } = new URL(verona.url);
  for (let i = 0; i < 20; i++) {
    const socket = connect(Number(port), '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write('POST /api/v1/push HTTP/1.1\r\nhost: v\r\ncontent-length: 100000\r\n\r\nhalf a body');
    await wait(5);
    socket.destroy();
  }
  const slow = new URLSearchParams({
    query: 'sum_over_time(requests_total[20m:1s])',
    start: String(moment.time - 10_000),
    end: String(moment.time),
    step: '1',
  });
  for (let i = 0; i < 20; i++) {
    const hangUp = new AbortController();
    const answer = fetch(`${verona.url}/api/v1/query_range?${slow}`, { signal: hangUp.signal });
    setTimeout(() => hangUp.abort(), 10);
    await answer
      .then((response) => response.arrayBuffer())
      .catch((error: Error) => expect(error.name).toBe('AbortError'));
  }
  expect(await valuesOf('count(requests_total)', 'none')).toEqual({ undefined: '4' });
});

describe('two tenants with the same series', () => {
  const tenants = ['acme', 'globex'] as const;
  const range = `start=${NEWEST / 1000 - 60}&end=${NEWEST / 1000 + 60}`;
  const reads = [
    `/api/v1/query?query=shared&time=${NEWEST / 1000}`,
    `/api/v1/query?query={__name__=~".%2b"}[5m]&time=${NEWEST / 1000}`,
    `/api/v1/query_range?query=shared&step=15&${range}`,
    `/api/v1/query_exemplars?query=shared&${range}`,
    `/api/v1/labels?${range}`,
    '/api/v1/labels',
    '/api/v1/label/owner/values',
    `/api/v1/label/owner/values?match[]=shared`,
    '/api/v1/series?match[]=shared',
    '/prometheus/api/v1/series?match[]={__name__=~".%2b"}',
    '/api/prom/api/v1/label/owner/values',
    '/federate?match[]=shared',
    '/api/v1/metadata',
    '/api/v1/status/tsdb',
    `/api/v1/cardinality/label_names?${range}`,
    `/api/v1/cardinality/label_values?label_names[]=owner&${range}`,
    `/api/v1/cardinality/label_values?label_names[]=owner&selector=shared&${range}`,
  ];

  beforeAll(async () => {
    for (const tenant of tenants) {
      const series = floats(
        { __name__: 'shared', owner: `of-${tenant}`, [`only_${tenant}`]: 'x' },
        [[NEWEST, 1]],
        [exemplar(`of-${tenant}`, 1, NEWEST)],
      );
      const metadata = { type: 'gauge', unit: '', help: `of-${tenant}` } as const;
      expect((await send(verona.writeUrl, [{ ...series, metadata }], { tenant, version: 2 })).status).toBe(
        204,
      );
    }
  });

  const seesItsOwnOnly = async () => {
    for (const tenant of tenants)
      for (const path of reads) {
        const other = tenants.find((name) => name !== tenant);
        const response = await fetch(verona.url + path, { headers: { 'x-scope-orgid': tenant } });
        const text = await response.text();
        expect(response.status, `${path}: ${text}`).toBe(200);
        expect(text, path).not.toContain(other);
        // Exemplars live in memory, and federation gives what is within the lookback only.
        if (!/exemplars|status|federate/.test(path)) expect(text, path).toContain(tenant);
      }
    for (const type of ['samples', 'streamed_chunks'] as const) {
      const found = await remoteRead(verona.url, type, [new Matcher('=', '__name__', 'shared')], 'acme');
      expect([...found.keys()].join()).toMatch(/^[^}]*of-acme[^}]*\}$/);
    }
    const nobody = await json('/api/v1/series?match[]=shared');
    expect(nobody).toEqual([]);
  };

  test('see only their own over every way to read, from memory', seesItsOwnOnly);

  test('see only their own from blocks, and delete only their own', async () => {
    for (const tenant of tenants)
      await fetch(`${verona.url}/ingester/flush`, { method: 'POST', headers: { 'x-scope-orgid': tenant } });
    await seesItsOwnOnly();
    const headers = { 'x-scope-orgid': 'acme' };
    const url = `${verona.url}/api/v1/admin/tsdb/delete_series?match[]=shared`;
    expect((await fetch(`${url}&start=10&end=5`, { method: 'POST', headers })).status).toBe(400);
    expect((await fetch(url, { method: 'POST', headers })).status).toBe(204);
    const gone = await fetch(verona.url + reads[0], { headers });
    expect(await gone.text()).not.toContain('of-acme');
    const left = await fetch(verona.url + reads[0], { headers: { 'x-scope-orgid': 'globex' } });
    expect(await left.text()).toContain('of-globex');
  });

  test('names that are no tenant’s, or several, are refused', async () => {
    for (const tenant of ['a|b', '../acme', 'a/b', 'x'.repeat(151), '__markers__']) {
      const response = await sendBody(verona.writeUrl, snappyCompress(new Uint8Array(0)).slice(), { tenant });
      expect(response.status, tenant).toBe(400);
      const read = await fetch(`${verona.url}/api/v1/labels`, { headers: { 'x-scope-orgid': tenant } });
      expect(read.status, tenant).toBe(400);
    }
  });
});

/** Samples by series, in order; a marker of the end of a series as `stale`. */
async function remoteRead(
  url: string,
  type: ReadResponseType,
  matchers: readonly Matcher[],
  tenant = 'anonymous',
) {
  const request = { queries: [{ ...WHOLE, matchers, hints: undefined }], acceptedResponses: [type] };
  const response = await fetch(`${url}/api/v1/read`, {
    method: 'POST',
    headers: {
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf',
      'x-scope-orgid': tenant,
    },
    body: snappyCompress(encodeReadRequest(request)).slice(),
  });
  expect(response.status).toBe(200);
  const body = new Uint8Array(await response.arrayBuffer());
  return type === 'samples' ? samplesOf(body) : chunkSamplesOf(body);
}

function samplesOf(body: Uint8Array): Map<string, string[]> {
  const [series] = readReadResponse(snappyDecompress(body, 2 ** 28));
  return sortedMap(series.map(({ labels, samples }) => [labels, samples.map(({ t, v }) => `${v} @${t}`)]));
}

function chunkSamplesOf(body: Uint8Array): Map<string, string[]> {
  const series = readFrames(body).flatMap((frame) => frame.series);
  return sortedMap(
    series.map(({ labels, chunks }) => [
      labels,
      chunks.flatMap(({ encoding, data }) => {
        const chunk = decodeChunk(encoding, data, 0, data.length);
        if (chunk.kind !== 'float') throw new Error('a float chunk was expected');
        return [...chunk.timestamps].map((t, k) => `${chunk.values[k]} @${t}`);
      }),
    ]),
  );
}

function sortedMap(entries: (readonly [readonly string[], string[]])[]): Map<string, string[]> {
  const named = entries.map(([labels, samples]) => {
    const pairs = Array.from(
      { length: labels.length / 2 },
      (_, k) => [labels[2 * k], labels[2 * k + 1]] as const,
    );
    return [Labels.from(pairs).toString(), samples] as const;
  });
  return new Map(named.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Prometheus begins to scrape some seconds after it says that it is ready. */
async function firstScrape({ url }: Peer): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const response = await fetch(`${url}/api/v1/query?query=up`);
    if ((await response.text()).includes('"job":"federate"')) return;
    await wait(100);
  }
  throw new Error('nothing was scraped within ten seconds');
}

async function federateLines(url: string): Promise<string[]> {
  const response = await fetch(`${url}/federate?match[]=${encodeURIComponent('{__name__=~"fed_.+"}')}`);
  return (await response.text()).split('\n').sort();
}

/** Values of an instant query by one label. */
async function valuesOf(query: string, label: string): Promise<Record<string, string>> {
  const { data } = await ask(verona.url, { how: 'instant', query }, moment);
  const result = data?.result as { metric: Record<string, string>; value: [number, string] }[];
  return Object.fromEntries(result.map(({ metric, value }) => [String(metric[label]), value[1]]));
}

async function json(path: string): Promise<unknown> {
  const response = await fetch(verona.url + path);
  return ((await response.json()) as { data: unknown }).data;
}

function attributesOf(attributes: Record<string, string>) {
  return Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } }));
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
