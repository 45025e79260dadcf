import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Peer, startPrometheus, startVerona, startVictoriaMetrics } from '../e2e/peers.ts';
import { type Figure, timeUrl } from './figure.ts';
import { type BenchQuery, type QueryTimes, queryUrl, readQuerySet } from './query-set.ts';
import { printQueryTable } from './query-table.ts';
import { runLoad } from './run-load.ts';

/**
 * `npm run bench:query`: the queries of `bench/queries` and `bench/instant-queries` in all three stores over the same
 * data, warm, medians. `--hours=24` asks over a day at 1 m steps. `--keep=NAME` leaves the loaded stores in `.cache/NAME`
 * and uses them again. `--cores=0` ties the stores to these processors.
 */
const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '100000' },
    hours: { type: 'string', default: '1' },
    runs: { type: 'string', default: '7' },
    only: { type: 'string', default: 'verona,prometheus,victoria-metrics' },
    sets: { type: 'string', default: 'range,instant' },
    match: { type: 'string', default: '' },
    keep: { type: 'string' },
    cores: { type: 'string' },
  },
});

const hours = Number(flags.hours);
const stepS = hours > 1 ? 60 : 15;
const stores = flags.only.split(',');
const queries = readQuerySet(flags.sets.split(',') as ('range' | 'instant')[]).filter(({ title }) =>
  title.includes(flags.match),
);
const cache = join(import.meta.dirname, '../.cache');
const folder = flags.keep ? join(cache, flags.keep) : await mkdtemp(join(cache, 'bench-'));
const endMs = keptEnd() ?? Math.floor(Date.now() / (stepS * 1000)) * stepS * 1000;
const times: QueryTimes = { endMs, hours, stepS };
const results = new Map<string, Map<string, Figure>>();
try {
  for (const name of stores) results.set(name, await measure(name));
} finally {
  if (!flags.keep) await rm(folder, { recursive: true, force: true });
}
printQueryTable(
  queries.map(({ title }) => title),
  results,
);

/** The end of the data that an earlier run left. */
function keptEnd(): number | undefined {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'end');
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
}

async function measure(name: string): Promise<Map<string, Figure>> {
  const loaded = join(folder, `${name}-loaded`);
  const peer = await start(name);
  if (!existsSync(loaded)) {
    await load(peer);
    writeFileSync(join(folder, 'end'), String(endMs));
    writeFileSync(loaded, '');
  }
  if (flags.cores) peer.process.tie(flags.cores);
  const figures = new Map<string, Figure>();
  for (const query of queries) figures.set(query.title, await time(peer, query));
  await peer.process.stop(flags.keep ? 'SIGTERM' : 'SIGKILL');
  return figures;
}

function start(name: string): Promise<Peer> {
  const dir = join(folder, name);
  if (name === 'prometheus') return startPrometheus(dir);
  if (name === 'victoria-metrics') return startVictoriaMetrics(dir);
  return startVerona(dir, ['--self-metrics.enabled=false', '--log.level=warn']);
}

async function load(peer: Peer): Promise<void> {
  await runLoad([
    `--url=${peer.writeUrl}`,
    `--series=${flags.series}`,
    `--end=${endMs}`,
    `--interval=${stepS * 1000}`,
    `--scrapes=${(hours * 3600) / stepS}`,
  ]);
  // Both peers show what was written a moment later.
  await new Promise((resolve) => setTimeout(resolve, 2000));
}

function time(peer: Peer, query: BenchQuery): Promise<Figure> {
  return timeUrl(peer.process, queryUrl(peer.url, query, times), Number(flags.runs));
}
