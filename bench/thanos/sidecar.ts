import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startPrometheus, startVerona } from '../../e2e/peers.ts';
import { freePort, RealProcess } from '../../e2e/process.ts';
import { floats, push } from '../../e2e/push.ts';
import { formatTable, median } from '../table.ts';

const ROOT = join(import.meta.dirname, '../..');
const SERIES = 10_000;
const SCRAPES = 240;
const PER_REQUEST = 200;
const RUNS = 9;
const QUERY = 'sum by (job) (rate(requests_total[5m]))';

/** One query of many series asked of a Prometheus itself, and of a querier that asks the sidecar beside it, in turns. */
export async function measureSidecar(): Promise<string> {
  const folder = await mkdtemp(join(ROOT, '.cache/bench-'));
  const endMs = Math.floor(Date.now() / 15_000) * 15_000;
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const config = 'global: {external_labels: {cluster: eu}}\n';
    const prometheus = await startPrometheus(join(folder, 'prometheus'), config);
    stops.unshift(() => prometheus.process.stop('SIGKILL'));
    await fill(prometheus.writeUrl, endMs);
    const [http, grpc] = [await freePort(), await freePort()];
    const sidecar = new RealProcess('sidecar', process.execPath, [
      join(ROOT, 'bin/verona.js'),
      'sidecar',
      `--prometheus.url=${prometheus.url}`,
      `--http-address=127.0.0.1:${http}`,
      `--grpc-address=127.0.0.1:${grpc}`,
    ]);
    stops.unshift(() => sidecar.stop('SIGKILL'));
    await sidecar.ready(`http://127.0.0.1:${http}/-/ready`);
    const endpoint = [`--endpoint.address=127.0.0.1:${grpc}`, '--endpoint.check-interval=30s'];
    const querier = await startVerona(join(folder, 'querier'), endpoint, undefined, 'querier');
    stops.unshift(() => querier.process.stop('SIGKILL'));
    const rows: string[][] = [];
    for (const step of [60, 15]) {
      const range = { start: `${endMs / 1000 - 3300}`, end: `${endMs / 1000}`, step: `${step}` };
      const search = new URLSearchParams({ query: QUERY, ...range });
      const urls = [prometheus.url, querier.url].map((url) => `${url}/api/v1/query_range?${search}`);
      const walls: number[][] = [[], []];
      for (let i = 0; i < 2; i++) for (const url of urls) await ask(url);
      const cpu = () => [prometheus.process, sidecar, querier.process].map((one) => one.cpuSeconds());
      const alone = [0, 0, 0];
      const through = [0, 0, 0];
      for (let i = 0; i < RUNS; i++)
        for (const [k, url] of urls.entries()) {
          const [before, begin] = [cpu(), performance.now()];
          await ask(url);
          walls[k].push(performance.now() - begin);
          for (const [p, now] of cpu().entries()) [alone, through][k][p] += ((now - before[p]) * 1000) / RUNS;
        }
      const [own, ours] = walls.map(median);
      rows.push([
        `step ${step} s`,
        own.toFixed(0),
        ours.toFixed(0),
        (ours / own).toFixed(2),
        alone[0].toFixed(0),
        through.map((ms) => ms.toFixed(0)).join(' + '),
      ]);
    }
    const head = [
      '1 h',
      'Prometheus ms',
      'querier ms',
      'ratio',
      'CPU ms alone',
      'CPU ms Prometheus + sidecar + querier',
    ];
    return `${QUERY}, ${SERIES} series × ${SCRAPES} samples\n${formatTable(head, rows)}`;
  } finally {
    for (const stop of stops) await stop();
  }
}

async function fill(url: string, endMs: number): Promise<void> {
  const times = Array.from({ length: SCRAPES }, (_, i) => endMs - (SCRAPES - 1 - i) * 15_000);
  for (let from = 0; from < SERIES; from += PER_REQUEST)
    await push(
      url,
      Array.from({ length: PER_REQUEST }, (_, i) => {
        const k = from + i;
        const labels = {
          __name__: 'requests_total',
          job: `job-${k % 20}`,
          instance: `10.0.${k >> 8}.${k & 255}:8080`,
        };
        let value = k;
        return floats(
          labels,
          times.map((t) => [t, (value += (k * t) % 37)] as const),
        );
      }),
    );
}

async function ask(url: string): Promise<void> {
  const response = await fetch(url);
  const { data, warnings } = (await response.json()) as { data?: { result: unknown[] }; warnings?: string[] };
  if (!response.ok || warnings || !data?.result.length)
    throw new Error(`${url}: ${response.status} ${warnings} ${data?.result.length}`);
}
