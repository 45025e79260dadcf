import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Peer, startPrometheus, startVerona, startVictoriaMetrics } from '../e2e/peers.ts';
import { queryUrl, readQuerySet } from './query-set.ts';
import { runLoad } from './run-load.ts';
import { formatTable, median } from './table.ts';

/** `npm run bench:query`: the queries of `bench/queries` over the same hour in all three stores, warm, medians. */
const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '100000' },
    runs: { type: 'string', default: '7' },
    only: { type: 'string', default: 'verona,prometheus,victoria-metrics' },
  },
});

interface Figure {
  wallMs: number;
  cpuMs: number;
  bytes: number;
}

const folder = await mkdtemp(join(import.meta.dirname, '../.cache/bench-'));
const endMs = Math.floor(Date.now() / 15_000) * 15_000;
const queries = readQuerySet();
const results = new Map<string, Map<string, Figure>>();
try {
  for (const name of flags.only.split(',')) results.set(name, await measure(name));
} finally {
  await rm(folder, { recursive: true, force: true });
}
print();

async function measure(name: string): Promise<Map<string, Figure>> {
  const peer = await start(name);
  await runLoad([`--url=${peer.writeUrl}`, `--series=${flags.series}`, `--end=${endMs}`]);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const figures = new Map<string, Figure>();
  for (const [title, query] of queries) figures.set(title, await time(peer, query));
  await peer.process.stop('SIGKILL');
  return figures;
}

function start(name: string): Promise<Peer> {
  const dir = join(folder, name);
  if (name === 'prometheus') return startPrometheus(dir);
  if (name === 'victoria-metrics') return startVictoriaMetrics(dir);
  return startVerona(dir, ['--self-metrics.enabled=false', '--log.level=warn']);
}

async function time(peer: Peer, query: string): Promise<Figure> {
  const url = queryUrl(peer.url, query, endMs);
  const walls: number[] = [];
  let bytes = 0;
  await ask(url);
  await ask(url);
  const cpuBefore = peer.process.cpuSeconds();
  for (let i = 0; i < Number(flags.runs); i++) {
    const begin = performance.now();
    bytes = await ask(url);
    walls.push(performance.now() - begin);
  }
  const cpu = peer.process.cpuSeconds() - cpuBefore;
  return { wallMs: median(walls), cpuMs: (cpu * 1000) / Number(flags.runs), bytes };
}

async function ask(url: string): Promise<number> {
  const response = await fetch(url);
  const body = await response.arrayBuffer();
  if (!response.ok)
    throw new Error(`${url}: ${response.status} ${Buffer.from(body).toString().slice(0, 300)}`);
  return body.byteLength;
}

function print(): void {
  const stores = [...results.keys()];
  const head = [
    'query',
    ...stores.flatMap((store) => [`${store} ms`, 'CPU ms']),
    ...stores.slice(1).map((store) => `/ ${store}`),
  ];
  const rows = queries.map(([title]) => {
    const figures = stores.map((store) => results.get(store)!.get(title)!);
    return [
      title,
      ...figures.flatMap((figure) => [figure.wallMs.toFixed(1), figure.cpuMs.toFixed(0)]),
      ...figures.slice(1).map((figure) => (figures[0].wallMs / figure.wallMs).toFixed(2)),
    ];
  });
  const means = stores.slice(1).map((store) => {
    const logs = queries.map(([title]) =>
      Math.log(results.get(stores[0])!.get(title)!.wallMs / results.get(store)!.get(title)!.wallMs),
    );
    return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length).toFixed(2);
  });
  rows.push(['geometric mean', ...stores.flatMap(() => ['', '']), ...means]);
  console.log(formatTable(head, rows));
}
