import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Peer, startPrometheus, startVerona } from './peers.ts';
import { freePort, RealProcess } from './process.ts';
import { exemplar, floats, push } from './push.ts';
import { type Radosgw, startRadosgw } from './radosgw.ts';

mkdirSync(join(import.meta.dirname, '../.cache'), { recursive: true });
const folder = mkdtempSync(join(import.meta.dirname, '../.cache/e2e-'));
const ROOT = join(import.meta.dirname, '..');
const STEP = 15_000;
const SAMPLES = 60;
const end = Math.floor(Date.now() / STEP) * STEP;
const start = end - (SAMPLES - 1) * STEP;
const BUCKET = 'verona-joined-answers';

const RULES = `groups:
- name: web
  rules:
  - record: job:requests:rate
    expr: sum by (job) (rate(requests_total[1m]))
  - alert: Quiet
    expr: absent(nothing)
    labels: { severity: page }
    annotations: { summary: Nothing. }
- name: heart
  rules:
  - record: heartbeat
    expr: vector(1)
`;

interface Pair {
  readonly config: string;
  readonly port: number;
  prometheus: Peer;
  sidecar: RealProcess;
  readonly http: string;
  readonly grpc: string;
}

let ceph: Radosgw;
let s3: S3Client;
/** The configuration of the bucket in Ceph. */
let bucket: string;
const pairs: Pair[] = [];
let pushed: Peer;
let pushedGrpc: string;
let pusher: Peer;
let querier: Peer;
let stacked: Peer;

/** A pair of replicas, a server that pushes, and a querier over all of them and the bucket; another querier over that one. */
beforeAll(async () => {
  await openBucket();
  pushedGrpc = `127.0.0.1:${await freePort()}`;
  const querierGrpc = `127.0.0.1:${await freePort()}`;
  pushed = await startVerona(join(folder, 'pushed'), [
    '--grpc.enabled=true',
    `--grpc.listen-address=${pushedGrpc}`,
    '--grpc.external-labels=cluster=pushed',
    '--self-metrics.enabled=false',
  ]);
  writeFileSync(join(folder, 'rules.yml'), RULES);
  const startPusher = startPrometheus(
    join(folder, 'pusher'),
    `global: { evaluation_interval: 1s, external_labels: { origin: third } }
rule_files: ['${join(folder, 'rules.yml')}']
remote_write: [{ url: '${pushed.writeUrl}', queue_config: { batch_send_deadline: 200ms } }]
`,
  );
  pairs.push(...(await Promise.all(['a', 'b'].map(startPair))));
  pusher = await startPusher;
  await push(
    pushed.writeUrl,
    [
      {
        ...floats({ __name__: 'requests_total', job: 'web' }, samples(0), [
          exemplar('0a', 7, end - 30_000),
          exemplar('0b', 8, end - 15_000),
        ]),
        metadata: { type: 'counter', help: 'Requests.', unit: '' },
      },
    ],
    { version: 2 },
  );
  await Promise.all(
    pairs.map(({ prometheus }, i) =>
      push(prometheus.writeUrl, [floats({ __name__: 'requests_total', job: 'web' }, samples(i * 4000))]),
    ),
  );
  const endpoints = [...pairs.map(({ grpc }) => grpc), pushedGrpc].join(',');
  const flags = ['--endpoint.check-interval=200ms', '--query.replica-label=replica', '--grpc.enabled=true'];
  querier = await startVerona(
    join(folder, 'querier'),
    [
      ...flags,
      '--query.mode=distributed',
      `--endpoint.address=${endpoints}`,
      `--grpc.listen-address=${querierGrpc}`,
      `--objstore.config=${bucket}`,
      '--objstore.thanos-tenant=anonymous',
      '--objstore.sync-interval=500ms',
    ],
    undefined,
    'querier',
  );
  stacked = await startVerona(
    join(folder, 'stacked'),
    [
      ...flags,
      '--query.mode=distributed',
      `--endpoint.address=${querierGrpc}`,
      `--grpc.listen-address=127.0.0.1:${await freePort()}`,
    ],
    undefined,
    'querier',
  );
}, 300_000);

afterAll(async () => {
  const pairProcesses = pairs.flatMap(({ prometheus, sidecar }) => [prometheus.process, sidecar]);
  // A Prometheus waits a minute for what it pushes to before it ends.
  await pusher?.process.stop();
  const all = [pushed, querier, stacked].map((peer) => peer?.process).concat(pairProcesses);
  await Promise.all(all.map((one) => one?.stop()));
  s3?.destroy();
  await ceph?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

async function openBucket(): Promise<void> {
  ceph = await startRadosgw();
  const { endpoint, accessKey, secretKey } = ceph;
  s3 = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
  });
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const config = [
    `bucket: ${BUCKET}`,
    `endpoint: ${endpoint.replace('http://', '')}`,
    `access_key: ${accessKey}`,
    `secret_key: ${secretKey}`,
    'insecure: true',
    'region: us-east-1',
    'bucket_lookup_type: path',
  ];
  bucket = `{type: S3, config: {${config.join(', ')}}}`;
}

async function isInBucket(key: string): Promise<boolean> {
  const head = new HeadObjectCommand({ Bucket: BUCKET, Key: key });
  return s3.send(head).then(
    () => true,
    () => false,
  );
}

const samples = (offset: number) =>
  Array.from({ length: SAMPLES }, (_, i) => [start + i * STEP + offset, i * STEP + offset] as const);

const PROMETHEUS_FLAGS = ['--storage.tsdb.min-block-duration=2h', '--storage.tsdb.max-block-duration=2h'];

async function startPair(replica: string): Promise<Pair> {
  const dir = join(folder, replica);
  mkdirSync(dir, { recursive: true });
  const rules = join(folder, 'rules.yml');
  const config = `global:
  external_labels: { cluster: eu, replica: ${replica} }
  evaluation_interval: 1s
rule_files: ['${rules}']
scrape_configs:
- job_name: gone
  scrape_interval: 1s
  static_configs: [{ targets: ['127.0.0.1:1'] }]
`;
  const port = await freePort();
  const prometheus = await startPrometheus(join(dir, 'prometheus'), config, PROMETHEUS_FLAGS, port);
  const [httpPort, grpcPort] = [await freePort(), await freePort()];
  const [http, grpc] = [`http://127.0.0.1:${httpPort}`, `127.0.0.1:${grpcPort}`];
  const pair = { config, port, prometheus, http, grpc };
  return { ...pair, sidecar: await startSidecar(pair) };
}

async function startSidecar({ prometheus, http, grpc }: Omit<Pair, 'sidecar'>): Promise<RealProcess> {
  const sidecar = new RealProcess('sidecar', process.execPath, [
    join(ROOT, 'bin/verona.js'),
    'sidecar',
    `--sidecar.prometheus-url=${prometheus.url}`,
    `--sidecar.tsdb-path=${join(prometheus.dir, 'data')}`,
    '--sidecar.check-interval=200ms',
    '--sidecar.ship-interval=200ms',
    `--http.listen-address=${http.slice('http://'.length)}`,
    `--grpc.listen-address=${grpc}`,
    `--objstore.config=${bucket}`,
  ]);
  await sidecar.ready(`${http}/-/ready`);
  return sidecar;
}

async function get<T>(peer: Peer, path: string, parameters: Record<string, string> = {}) {
  const response = await fetch(`${peer.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const answer = (await response.json()) as { data: T; warnings?: string[]; error?: string };
  return { ...answer, status: response.status, cache: response.headers.get('cache-control') };
}

interface Groups {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly {
      readonly name: string;
      readonly labels: Record<string, string>;
      readonly state?: string;
    }[];
  }[];
}

interface Matrix {
  readonly result: readonly {
    readonly metric: Record<string, string>;
    readonly values: [number, string][];
  }[];
}

interface Vector {
  readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
}

const range = { start: `${start / 1000}`, end: `${end / 1000}`, step: '15' };

function ask(peer: Peer, query: string, parameters: Record<string, string> = {}) {
  return get<Matrix>(peer, 'query_range', { query, ...range, ...parameters });
}

const rulesOf = ({ groups }: Groups) =>
  groups.flatMap(({ name, rules }) => rules.map((rule) => [name, rule.name, rule.labels] as const));

test('rules of replicas are one, on the querier and on a querier over it, and alerts with them', async () => {
  const expected = [
    ['heart', 'heartbeat', { cluster: 'eu' }],
    ['web', 'job:requests:rate', { cluster: 'eu' }],
    ['web', 'Quiet', { cluster: 'eu', severity: 'page' }],
  ];
  await expect
    .poll(async () => (await get<{ alerts: object[] }>(querier, 'alerts')).data.alerts.length, {
      timeout: 20_000,
    })
    .toBe(1);
  for (const peer of [querier, stacked]) {
    const { data, warnings } = await get<Groups>(peer, 'rules');
    expect(warnings).toBeUndefined();
    expect(rulesOf(data)).toEqual(expected);
    expect(data.groups[1].rules[1].state).toBe('firing');
    const all = await get<Groups>(peer, 'rules', { dedup: 'false', type: 'alert' });
    expect(rulesOf(all.data).map(([, , labels]) => labels.replica)).toEqual(['a', 'b']);
    const { alerts } = (await get<{ alerts: object[] }>(peer, 'alerts')).data;
    expect(alerts).toMatchObject([
      { labels: { alertname: 'Quiet', cluster: 'eu', severity: 'page' }, state: 'firing' },
    ]);
  }
});

test('targets of replicas are one', async () => {
  for (const peer of [querier, stacked]) {
    const { data } = await get<{ activeTargets: { labels: object; health: string }[] }>(peer, 'targets');
    expect(data.activeTargets).toMatchObject([
      { labels: { cluster: 'eu', job: 'gone', instance: '127.0.0.1:1' }, scrapePool: 'gone', health: 'down' },
    ]);
    expect((await get(peer, 'scrape_pools')).data).toEqual({ scrapePools: ['gone'] });
  }
});

test('metadata and exemplars of what was pushed come through both queriers', async () => {
  for (const peer of [querier, stacked]) {
    const metadata = await get<Record<string, object[]>>(peer, 'metadata', { metric: 'requests_total' });
    expect(metadata.data).toEqual({ requests_total: [{ type: 'counter', help: 'Requests.', unit: '' }] });
    const query = 'rate(requests_total{cluster="pushed"}[5m])';
    const { data } = await get<object[]>(peer, 'query_exemplars', { query, ...range });
    expect(data).toEqual([
      {
        seriesLabels: { __name__: 'requests_total', cluster: 'pushed', job: 'web', tenant_id: 'anonymous' },
        exemplars: [
          { labels: { trace_id: '0a' }, value: '7', timestamp: (end - 30_000) / 1000 },
          { labels: { trace_id: '0b' }, value: '8', timestamp: (end - 15_000) / 1000 },
        ],
      },
    ]);
  }
});

test('what the heads of all hold is added up, here and through another querier', async () => {
  interface Statistics {
    readonly headStats: { readonly numSeries: number };
    readonly seriesCountByMetricName: readonly { readonly name: string; readonly value: number }[];
  }
  for (const peer of [querier, stacked]) {
    const { data } = await get<Statistics>(peer, 'status/tsdb', { limit: '1000' });
    const requests = data.seriesCountByMetricName.find(({ name }) => name === 'requests_total');
    expect(requests?.value).toBe(3);
    expect(data.headStats.numSeries).toBeGreaterThan(3);
  }
});

test('one query sees the pair as one and what was pushed beside it', async () => {
  const beats = async () => {
    const answer = await get<Vector>(querier, 'query', { query: 'sum by (cluster, origin) (heartbeat)' });
    return answer.data.result.map(({ metric, value }) => [metric, value[1]]);
  };
  await expect.poll(beats, { timeout: 20_000 }).toEqual([
    [{ cluster: 'eu' }, '1'],
    [{ cluster: 'pushed', origin: 'third' }, '1'],
  ]);
  for (const peer of [querier, stacked]) {
    const { data, warnings } = await ask(peer, 'sum by (cluster) (rate(requests_total[2m]))');
    expect(warnings).toBeUndefined();
    expect(data.result.map(({ metric }) => metric)).toEqual([{ cluster: 'eu' }, { cluster: 'pushed' }]);
    for (const { values } of data.result) expect(Number(values.at(-1)?.[1])).toBeCloseTo(1000, 3);
  }
});

test('the querier above lets the one below aggregate, and answers the same', async () => {
  const query = 'avg by (cluster) (rate(requests_total[2m]))';
  const { data } = await get<{ name: string }>(stacked, 'query_range_explain', { query, ...range });
  expect(JSON.stringify(data)).toContain('remote count by (cluster) (rate(');
  for (const asked of [query, 'topk(1, sum by (cluster) (requests_total))', 'count(requests_total)']) {
    const plain = (await ask(querier, asked)).data.result;
    expect((await ask(stacked, asked)).data.result, asked).toEqual(plain);
  }
});

test('a sidecar that dies is a warning or an error as the request says, and is back soon after it is', async () => {
  await pairs[0].sidecar.stop('SIGKILL');
  for (const path of ['rules', 'targets', 'alerts']) {
    const { warnings, cache } = await get(querier, path);
    expect(warnings?.join(), path).toContain(pairs[0].grpc);
    expect(cache, path).toBe('no-store');
    const strict = await get(querier, path, { partial_response: 'false' });
    expect(strict.status, path).not.toBe(200);
    expect(strict.error, path).toContain(pairs[0].grpc);
  }
  const { data, warnings } = await ask(querier, 'requests_total{cluster="eu"}');
  expect(warnings?.join()).toContain(pairs[0].grpc);
  expect(data.result[0].values.length).toBeGreaterThan(SAMPLES - 2);
  const strict = await ask(querier, 'requests_total', { partial_response: 'false' });
  expect(strict.error).toContain(pairs[0].grpc);
  pairs[0].sidecar = await startSidecar(pairs[0]);
  const whole = () => ask(querier, 'requests_total', { partial_response: 'false' });
  await expect.poll(async () => (await whole()).status, { timeout: 30_000 }).toBe(200);
  const rules = () => get(querier, 'rules', { partial_response: 'false' });
  await expect.poll(async () => (await rules()).status, { timeout: 30_000 }).toBe(200);
}, 60_000);

test('when both Prometheus servers lose their data, history answers from the bucket', async () => {
  const query = 'requests_total{cluster="eu"}';
  const before = await ask(querier, query);
  for (const pair of pairs) {
    const { prometheus } = pair;
    const snapshot = await fetch(`${prometheus.url}/api/v1/admin/tsdb/snapshot`, { method: 'POST' });
    const { data } = (await snapshot.json()) as { data: { name: string } };
    const from = join(prometheus.dir, 'data', 'snapshots', data.name);
    const [ulid] = readdirSync(from);
    cpSync(join(from, ulid), join(prometheus.dir, 'data', ulid), { recursive: true });
    await expect.poll(() => isInBucket(`${ulid}/meta.json`), { timeout: 20_000 }).toBe(true);
    await prometheus.process.stop('SIGKILL');
    // The sidecar may be writing its list of shipped blocks there.
    rmSync(join(prometheus.dir, 'data'), { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    pair.prometheus = await startPrometheus(prometheus.dir, pair.config, PROMETHEUS_FLAGS, pair.port);
  }
  const after = async () => {
    const { data, warnings } = await ask(querier, query);
    return { values: data.result[0]?.values, warnings };
  };
  const expected = { values: before.data.result[0].values, warnings: undefined };
  await expect.poll(after, { timeout: 30_000 }).toEqual(expected);
  // The bucket holds the pair's past: what was pushed is apart from it, and aggregated where it is.
  const summed = 'sum by (cluster) (requests_total)';
  const { data } = await get<object>(querier, 'query_range_explain', { query: summed, ...range });
  const text = JSON.stringify(data);
  expect(text).toContain(`remote sum by (cluster) ({__name__=\\"requests_total\\"}) at ${pushedGrpc}`);
  expect((await ask(querier, summed)).data).toEqual((await ask(stacked, summed)).data);
}, 90_000);
