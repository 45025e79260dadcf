import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Peer, startPrometheus, startVerona, startVictoriaMetrics } from '../e2e/peers.ts';
import { runLoad } from './run-load.ts';
import { formatTable, median } from './table.ts';

/**
 * `npm run bench:small`: instant queries for one series over HTTP, a few at once on kept connections: how many a second,
 * what one costs the server, and how long it takes. Warm: a store that compiles while it runs has done so.
 */
const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '10000' },
    connections: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'verona,prometheus,victoria-metrics' },
    cores: { type: 'string' },
  },
});

const SERIES = 'http_requests_total{instance="10.0.0.7:8080",shard="shard-3"}';
const QUERIES = { selector: SERIES, 'sum of rate': `sum(rate(${SERIES}[5m]))` };
const WARM_SECONDS = 6;
const folder = await mkdtemp(join(import.meta.dirname, '../.cache/bench-'));
const endMs = Math.floor(Date.now() / 15_000) * 15_000;
const rows: string[][] = [];
try {
  for (const name of flags.only.split(',')) rows.push(...(await measure(name)));
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(formatTable(['store', 'query', 'queries/s', 'CPU µs/query', 'median ms', '99 % ms'], rows));

async function measure(name: string): Promise<string[][]> {
  const peer = await start(name);
  await runLoad([`--url=${peer.writeUrl}`, `--series=${flags.series}`, '--scrapes=60', `--end=${endMs}`]);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  if (flags.cores) peer.process.tie(flags.cores);
  const found: string[][] = [];
  for (const [title, query] of Object.entries(QUERIES))
    found.push([name, title, ...(await measureQuery(peer, query))]);
  await peer.process.stop('SIGKILL');
  return found;
}

async function measureQuery(peer: Peer, query: string): Promise<string[]> {
  const url = `${peer.url}/api/v1/query?time=${endMs / 1000}&query=${encodeURIComponent(query)}`;
  await ask(url, WARM_SECONDS);
  const cpuBefore = peer.process.cpuSeconds();
  const seconds = Number(flags.seconds);
  const times = await ask(url, seconds);
  const cpu = peer.process.cpuSeconds() - cpuBefore;
  times.sort((a, b) => a - b);
  return [
    (times.length / seconds).toFixed(0),
    ((cpu * 1e6) / times.length).toFixed(0),
    median(times).toFixed(2),
    times[Math.floor(times.length * 0.99)].toFixed(2),
  ];
}

function start(name: string): Promise<Peer> {
  const dir = join(folder, name);
  if (name === 'prometheus') return startPrometheus(dir);
  if (name === 'victoria-metrics') return startVictoriaMetrics(dir);
  return startVerona(dir, ['--self-metrics.enabled=false', '--log.level=warn']);
}

/** The time of every answer, ms. */
async function ask(url: string, seconds: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: Number(flags.connections) });
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  const lane = async () => {
    while (performance.now() < end) {
      const begin = performance.now();
      await answered(url, agent);
      times.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: Number(flags.connections) }, lane));
  agent.destroy();
  return times;
}

function answered(url: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`));
      response.resume();
      response.once('end', resolve);
    }).once('error', reject);
  });
}
