import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Peer, startVerona } from './peers.ts';

/** What Verona tells of its queries: while they run, afterwards, and after a crash. */
const FLAGS = [
  '--self-metrics.enabled=false',
  '--objstore.enabled=false',
  '--query.log-queries-longer-than=200ms',
];
/** Takes some tens of seconds. */
const LONG = 'predict_linear((vector(time()) % 7919)[400000s:1s], 60)';

let folder: string;
let verona: Peer;

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  verona = await start();
});

afterAll(async () => {
  await verona?.process.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

function start(): Promise<Peer> {
  return startVerona(join(folder, 'data'), [...FLAGS, `--query.log-file=${join(folder, 'queries.log')}`]);
}

function ask(path: string, tenant = 'anonymous', signal?: AbortSignal): Promise<Response> {
  return fetch(`${verona.url}/api/v1/${path}`, {
    headers: { 'X-Scope-OrgID': tenant },
    ...(signal && { signal }),
  });
}

const range = (query: string) => `query_range?query=${encodeURIComponent(query)}&start=0&end=10000&step=1`;

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`it did not come to be:\n${verona.process.output}`);
}

const logged = () =>
  readFileSync(join(folder, 'queries.log'), 'utf8')
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

test('queries are in the query log and in the numbers of their tenant, and a rotated log is begun anew', async () => {
  await ask('query?query=1%2B1&time=0', 'team-a');
  await ask(range('sum('), 'team-a');
  await until(() => existsSync(join(folder, 'queries.log')) && logged().length === 2);
  expect(logged().map(({ params, tenant, outcome }) => [params.query, tenant, outcome])).toEqual([
    ['1+1', 'team-a', 'ok'],
    ['sum(', 'team-a', 'bad_data'],
  ]);
  const { data } = await (await ask('status/queries', 'team-a')).json();
  expect(data.totals).toMatchObject({ queries: 2, failed: 1 });
  expect(data.slowest).toHaveLength(2);
  expect((await (await ask('status/queries', 'team-b')).json()).data.totals.queries).toBe(0);
  const metrics = await (await fetch(`${verona.url}/metrics`)).text();
  expect(metrics).toContain('verona_queries_total{tenant="team-a",outcome="bad_data"} 1');
  await rename(join(folder, 'queries.log'), join(folder, 'queries.log.1'));
  await fetch(`${verona.url}/-/reload`, { method: 'POST' });
  await until(() => existsSync(join(folder, 'queries.log')));
  await until(async () => {
    await ask('query?query=2&time=0');
    return logged().some(({ params }) => params.query === '2');
  });
});

test('a query that runs is shown, one that is given up is a slow query in the log', async () => {
  const leave = new AbortController();
  const asked = ask(range(LONG), 'team-c', leave.signal).catch(() => undefined);
  await until(async () => {
    const { data } = await (await ask('status/queries', 'team-c')).json();
    return data.running[0]?.query === LONG && data.running[0].seconds > 0.25;
  });
  leave.abort();
  await asked;
  await until(() => /a slow query.*team-c.*predict_linear.*outcome=canceled/.test(verona.process.output));
});

test('a query that runs when Verona is killed is told at the next start', async () => {
  const asked = ask(range(LONG), 'team-d').catch(() => undefined);
  const file = join(folder, 'data/queries.active');
  await until(() => readFileSync(file, 'utf8').includes('team-d'));
  await verona.process.stop('SIGKILL');
  await asked;
  verona = await start();
  expect(verona.process.output).toContain('these queries ran when the process ended the last time');
  expect(verona.process.output).toContain('predict_linear');
  expect(verona.process.output).toContain('team-d');
  expect(readFileSync(file, 'utf8')).toBe('[');
});
