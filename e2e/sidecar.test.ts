import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Peer, startPrometheus, startVerona } from './peers.ts';
import { freePort, RealProcess } from './process.ts';
import { program } from './programs.ts';
import { floats, histograms, push } from './push.ts';

mkdirSync(join(import.meta.dirname, '../.cache'), { recursive: true });
const folder = mkdtempSync(join(import.meta.dirname, '../.cache/e2e-'));
const ROOT = join(import.meta.dirname, '..');
const STEP = 15_000;
const SAMPLES = 120;
const end = Math.floor(Date.now() / STEP) * STEP;
const start = end - (SAMPLES - 1) * STEP;

interface Pair {
  readonly prometheus: Peer;
  readonly sidecar: RealProcess;
  readonly http: string;
  readonly grpc: string;
  readonly bucket: string;
}

const pairs: Pair[] = [];
let querier: Peer;

const RULES = `groups:
- name: web
  rules:
  - record: job:requests:rate
    expr: sum by (job) (rate(requests_total[1m]))
  - alert: Quiet
    expr: absent(nothing)
    labels: { severity: page }
`;

beforeAll(async () => {
  for (const [cluster, replica] of [
    ['eu', 'a'],
    ['eu', 'b'],
    ['us', 'a'],
  ])
    pairs.push(await startPair(cluster, replica));
  await Promise.all(
    pairs.map(({ prometheus }, i) =>
      push(prometheus.writeUrl, [
        ...series(i * 4000, (k) => i !== 0 || k < 40 || k > 70),
        histograms({ __name__: 'sizes', job: 'web' }, [[end, 3]]),
      ]),
    ),
  );
  const endpoints = pairs.map(({ grpc }) => grpc).join(',');
  querier = await startVerona(
    join(folder, 'querier'),
    [`--endpoint.address=${endpoints}`, '--endpoint.check-interval=200ms', '--query.replica-label=replica'],
    undefined,
    'querier',
  );
}, 180_000);

afterAll(async () => {
  await Promise.all(
    [querier?.process, ...pairs.flatMap(({ prometheus, sidecar }) => [prometheus.process, sidecar])].map(
      (one) => one?.stop(),
    ),
  );
  rmSync(folder, { recursive: true, force: true });
});

async function startPair(cluster: string, replica: string): Promise<Pair> {
  const name = `${cluster}-${replica}`;
  const dir = join(folder, name);
  mkdirSync(dir, { recursive: true });
  const rules = join(dir, 'rules.yml');
  writeFileSync(rules, RULES);
  const config = `global:
  external_labels: { cluster: ${cluster}, replica: ${replica} }
  evaluation_interval: 1s
rule_files: ['${rules}']
`;
  const prometheus = await startPrometheus(join(dir, 'prometheus'), config, [
    '--enable-feature=native-histograms',
    '--storage.tsdb.min-block-duration=2h',
    '--storage.tsdb.max-block-duration=2h',
  ]);
  const [httpPort, grpcPort] = [await freePort(), await freePort()];
  const http = `http://127.0.0.1:${httpPort}`;
  const grpc = `127.0.0.1:${grpcPort}`;
  const bucket = join(folder, 'bucket');
  const sidecar = new RealProcess('sidecar', process.execPath, [
    join(ROOT, 'bin/verona.js'),
    'sidecar',
    `--sidecar.prometheus-url=${prometheus.url}`,
    `--sidecar.tsdb-path=${join(prometheus.dir, 'data')}`,
    '--sidecar.check-interval=200ms',
    '--sidecar.ship-interval=200ms',
    `--http.listen-address=127.0.0.1:${httpPort}`,
    `--grpc.listen-address=${grpc}`,
    `--objstore.config={type: FILESYSTEM, config: {directory: ${bucket}}}`,
  ]);
  await sidecar.ready(`${http}/-/ready`);
  return { prometheus, sidecar, http, grpc, bucket };
}

/** Far from zero, where Prometheus 2 and 3 extrapolate differently, and off the steps, where their windows differ. */
function series(offset: number, has: (i: number) => boolean) {
  const places = Array.from({ length: SAMPLES }, (_, i) => i).filter(has);
  return Array.from({ length: 20 }, (_, k) =>
    floats(
      { __name__: 'requests_total', job: 'web', path: `/${k}`, ...(k % 3 === 0 && { zone: 'z' }) },
      places.map((i) => [start + i * STEP + offset, 1e9 + (i * STEP + offset) * (k + 1)] as const),
    ),
  );
}

interface Answer {
  readonly data: {
    readonly result: { readonly metric: Record<string, string>; readonly values: [number, string][] }[];
  };
  readonly warnings?: readonly string[];
}

async function ask(url: string, query: string, parameters: Record<string, string> = {}): Promise<Answer> {
  const search = new URLSearchParams({
    query,
    start: `${start / 1000}`,
    end: `${end / 1000}`,
    step: '15',
    ...parameters,
  });
  const response = await fetch(`${url}/api/v1/query_range?${search}`);
  expect(response.status, query).toBe(200);
  return (await response.json()) as Answer;
}

/** Without the labels that Prometheus itself does not show, and with the digits that no order of additions changes. */
function inner({ data }: Answer) {
  return data.result
    .map(({ metric: { cluster, replica, ...metric }, values }) => ({
      metric,
      values: values.map(([t, value]) => [t, Number(value).toPrecision(12)]),
    }))
    .sort((a, b) => (JSON.stringify(a.metric) < JSON.stringify(b.metric) ? -1 : 1));
}

test('each Prometheus answers as the querier does with its labels', async () => {
  const queries = [
    'requests_total',
    'rate(requests_total[2m])',
    'sum by (job) (rate(requests_total[1m]))',
    'topk(3, requests_total)',
    'max_over_time(requests_total{zone="z"}[1m])',
    'histogram_count(sizes)',
    'count(requests_total{path=~"/1.*"})',
  ];
  for (const query of queries) {
    const own = await ask(pairs[2].prometheus.url, query);
    const selected = query.replace(/(requests_total|sizes)(\{)?/, (_, name, brace) =>
      brace ? `${name}{cluster="us",` : `${name}{cluster="us"}`,
    );
    const through = await ask(querier.url, selected);
    expect(through.warnings, query).toBeUndefined();
    expect(inner(through), query).toEqual(inner(own));
  }
});

test('the pair of replicas is one series without the gap of the first', async () => {
  const { data } = await ask(querier.url, 'rate(requests_total{cluster="eu"}[2m])');
  expect(data.result).toHaveLength(20);
  for (const { metric, values } of data.result) {
    expect(metric.replica).toBeUndefined();
    expect(values.length).toBeGreaterThan(SAMPLES - 4);
  }
});

test('label names and values have the external labels of all', async () => {
  const get = async (path: string) =>
    ((await (await fetch(querier.url + path)).json()) as { data: string[] }).data;
  expect(await get('/api/v1/labels')).toEqual(
    expect.arrayContaining(['__name__', 'cluster', 'job', 'path', 'zone']),
  );
  expect(await get('/api/v1/label/cluster/values')).toEqual(['eu', 'us']);
});

test('finished blocks are uploaded once each with the external labels, meta.json among them', async () => {
  const { prometheus, bucket } = pairs[2];
  // A snapshot of the head is a finished block, and put among the others.
  await push(prometheus.writeUrl, [floats({ __name__: 'later', job: 'web' }, [[end, 1]])]);
  const snapshot = await fetch(`${prometheus.url}/api/v1/admin/tsdb/snapshot`, { method: 'POST' });
  const { data } = (await snapshot.json()) as { data: { name: string } };
  const from = join(prometheus.dir, 'data', 'snapshots', data.name);
  const [ulid] = readdirSync(from);
  cpSync(join(from, ulid), join(prometheus.dir, 'data', ulid), { recursive: true });
  await expect
    .poll(() => readMeta(bucket, ulid)?.thanos.labels, { timeout: 20_000 })
    .toEqual({ cluster: 'us', replica: 'a' });
  expect(readMeta(bucket, ulid)?.thanos.source).toBe('sidecar');
  const shipped = () => {
    const file = join(prometheus.dir, 'data', 'thanos.shipper.json');
    return existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as { uploaded: string[] }).uploaded
      : [];
  };
  // It is written down after the block is whole.
  await expect.poll(shipped, { timeout: 20_000 }).toContain(ulid);
});

function readMeta(bucket: string, ulid: string) {
  try {
    return JSON.parse(readFileSync(join(bucket, ulid, 'meta.json'), 'utf8')) as {
      thanos: { labels: Record<string, string>; source: string };
    };
  } catch {
    return undefined;
  }
}

test('a Prometheus that dies is a warning that names its sidecar, and its replica answers instead', async () => {
  const [first] = pairs;
  await first.prometheus.process.stop('SIGKILL');
  const answer = await ask(querier.url, 'requests_total{cluster="eu"}');
  expect(answer.warnings?.join()).toContain(first.grpc);
  expect(answer.data.result).toHaveLength(20);
  expect(first.sidecar.exited).toBe(false);
});

test('a Prometheus that wants a password is asked with it', async () => {
  const dir = join(folder, 'guarded');
  mkdirSync(dir);
  writeFileSync(join(dir, 'web.yml'), `basic_auth_users: {eve: ${bcrypt.hashSync('open-sesame', 4)}}\n`);
  writeFileSync(join(dir, 'prometheus.yml'), 'global: {external_labels: {cluster: guarded}}\n');
  writeFileSync(join(dir, 'http.yml'), `basic_auth: {username: eve, password_file: ${dir}/secret}\n`);
  writeFileSync(join(dir, 'secret'), 'open-sesame\n');
  const [port, httpPort, grpcPort] = [await freePort(), await freePort(), await freePort()];
  const prometheus = new RealProcess('prometheus', await program('prometheus'), [
    `--config.file=${dir}/prometheus.yml`,
    `--storage.tsdb.path=${dir}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    `--web.config.file=${dir}/web.yml`,
  ]);
  const sidecar = new RealProcess('sidecar', process.execPath, [
    join(ROOT, 'bin/verona.js'),
    'sidecar',
    `--prometheus.url=http://127.0.0.1:${port}`,
    `--prometheus.http-client-file=${dir}/http.yml`,
    '--sidecar.check-interval=200ms',
    `--http-address=127.0.0.1:${httpPort}`,
    `--grpc-address=127.0.0.1:${grpcPort}`,
  ]);
  await sidecar.ready(`http://127.0.0.1:${httpPort}/-/ready`);
  expect(sidecar.output).toContain('guarded');
  expect(sidecar.output).not.toContain('open-sesame');
  await Promise.all([sidecar.stop(), prometheus.stop()]);
});

test('without external labels nothing is uploaded, and the sidecar says what to do', async () => {
  const prometheus = await startPrometheus(join(folder, 'unlabelled'));
  const grpc = `127.0.0.1:${await freePort()}`;
  const port = await freePort();
  const sidecar = new RealProcess('sidecar', process.execPath, [
    join(ROOT, 'bin/verona.js'),
    'sidecar',
    `--sidecar.prometheus-url=${prometheus.url}`,
    `--sidecar.tsdb-path=${join(prometheus.dir, 'data')}`,
    `--http.listen-address=127.0.0.1:${port}`,
    `--grpc.listen-address=${grpc}`,
    `--objstore.config={type: FILESYSTEM, config: {directory: ${join(folder, 'empty-bucket')}}}`,
  ]);
  await sidecar.ready(`http://127.0.0.1:${port}/-/ready`);
  await expect.poll(() => sidecar.output).toContain('global.external_labels');
  await sidecar.stop();
  await prometheus.process.stop();
});
