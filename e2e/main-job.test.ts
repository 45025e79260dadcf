import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { difference, differences, type Moment, readQueries } from './compare.ts';
import { type Peer, startPrometheus, startVerona } from './peers.ts';
import { freePort, RealProcess } from './process.ts';
import { program } from './programs.ts';
import { type Radosgw, startRadosgw } from './radosgw.ts';

/**
 * The main job with real programs: Prometheus scrapes node_exporter, itself and Verona every second, and pushes. Then
 * every query has the same answer in both – live, after kill -9, from a block, and from the bucket on another machine.
 */
const SCRAPED_SECONDS = 72;
/** With windows of 30 s no query reaches back to where series begin: there 2.42 extrapolates counters further than 3. */
const RANGE_SECONDS = 27;
const BUCKET = 'verona-main-job';
mkdirSync(join(import.meta.dirname, '../.cache'), { recursive: true });
const folder = mkdtempSync(join(import.meta.dirname, '../.cache/e2e-'));
const queries = readQueries();

let gateway: Radosgw;
let exporter: RealProcess;
let prometheus: Peer;
let verona: Peer;
let veronaPort: number;
let moment: Moment;

beforeAll(async () => {
  gateway = await startRadosgw();
  await createBucket();
  const exporterPort = await freePort();
  exporter = new RealProcess('node_exporter', await program('node_exporter'), [
    `--web.listen-address=127.0.0.1:${exporterPort}`,
  ]);
  await exporter.ready(`http://127.0.0.1:${exporterPort}/metrics`);
  veronaPort = await freePort();
  verona = await startOnBucket('verona');
  const port = await freePort();
  prometheus = await startPrometheus(join(folder, 'prometheus'), scrapeConfig(port, exporterPort), [], port);
  await wait(SCRAPED_SECONDS * 1000);
  moment = await quietMoment();
  await caughtUp();
}, 400_000);

afterAll(async () => {
  // Prometheus would spend a minute on sending what is left to a Verona that is gone.
  await Promise.all([prometheus?.process.stop('SIGKILL'), verona?.process.stop(), exporter?.stop('SIGKILL')]);
  await gateway?.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

describe('what Prometheus scraped and pushed', () => {
  test('has the same answers in Verona while it is in the head', compareAll, 120_000);

  test('has the same answers after kill -9 and restart', async () => {
    await verona.process.stop('SIGKILL');
    verona = await startOnBucket('verona');
    await compareAll();
  }, 180_000);

  test('has the same answers after the head became a block', async () => {
    const response = await fetch(`${verona.url}/ingester/flush`, { method: 'POST' });
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('flushed')]);
    await compareAll();
  }, 180_000);

  test('is served from the bucket by a Verona that has nothing on its own disk', async () => {
    await verona.process.stop();
    verona = await startOnBucket('another-machine');
    await compareAll();
  }, 180_000);
});

async function compareAll(): Promise<void> {
  const found = await differences(prometheus.url, verona.url, queries, moment);
  expect(found, `${found.length} of ${queries.length} differ:\n${found.join('\n')}`).toEqual([]);
}

async function createBucket(): Promise<void> {
  const client = new S3Client({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: gateway.accessKey, secretAccessKey: gateway.secretKey },
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
}

function startOnBucket(name: string): Promise<Peer> {
  const bucket = [
    'type: S3',
    'config:',
    `  bucket: ${BUCKET}`,
    `  endpoint: ${gateway.endpoint.replace('http://', '')}`,
    `  access_key: ${gateway.accessKey}`,
    `  secret_key: ${gateway.secretKey}`,
    '  insecure: true',
    '  region: us-east-1',
    '  bucket_lookup_type: path',
  ];
  const flags = [`--objstore.config=${bucket.join('\n')}`, '--self-metrics.enabled=false'];
  return startVerona(join(folder, name), flags, veronaPort);
}

function scrapeConfig(port: number, exporterPort: number): string {
  const job = (name: string, target: number) =>
    `  - job_name: ${name}\n    static_configs: [{targets: ['127.0.0.1:${target}']}]\n`;
  return `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
${job('node', exporterPort)}${job('prometheus', port)}${job('verona', veronaPort)}
remote_write:
  - url: ${verona.writeUrl}
    queue_config: {batch_send_deadline: 1s}
`;
}

/** A time some seconds ago with a fraction that no scrape has, so that no window begins or ends on a sample. */
async function quietMoment(): Promise<Moment> {
  const response = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent('timestamp(up)')}`);
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  const fractions = data.result.map(({ value }) => Math.round((Number(value[1]) % 1) * 1000));
  const distance = (ms: number) =>
    Math.min(...fractions.map((f) => Math.min(Math.abs(f - ms), 1000 - Math.abs(f - ms))));
  const best = Array.from({ length: 1000 }, (_, ms) => ms).reduce((a, b) =>
    distance(b) > distance(a) ? b : a,
  );
  const time = Math.floor(Date.now() / 1000) - 3 + best / 1000;
  return { time, rangeSeconds: RANGE_SECONDS, stepSeconds: 5 };
}

/** Resolves when Verona has what Prometheus had scraped at the moment. */
async function caughtUp(): Promise<void> {
  const later = moment.time + 2;
  const asked = { how: 'instant', query: 'timestamp(up)' } as const;
  for (let i = 0; i < 60; i++) {
    await wait(1000);
    if (!(await difference(prometheus.url, verona.url, asked, { ...moment, time: later }))) return;
  }
  throw new Error(
    `Verona did not get what Prometheus sent within a minute:\n${prometheus.process.output}\n${verona.process.output}`,
  );
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
