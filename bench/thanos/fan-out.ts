import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Peer, startVerona } from '../../e2e/peers.ts';
import { Labels } from '../../src/model/labels.ts';
import { MemoryStorage } from '../../src/storage/memory-storage.ts';
import { QueryableStore } from '../../src/storeapi/queryable-store.ts';
import type { StoreServer } from '../../src/storeapi/store-server.ts';
import { loopback } from '../../src/storeapi/testdata/loopback.ts';
import { formatTable, median } from '../table.ts';

const CACHE = join(import.meta.dirname, '../../.cache/bench-');
const ENDPOINTS = 50;
const ASKED = 5;
const REQUESTS = 300;

/** A query that concerns 5 endpoints, asked of a querier that has only these and of one that has 45 others too. */
export async function measureFanOut(): Promise<string> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  const now = Date.now();
  for (let i = 0; i < 100; i++)
    for (let t = 0; t < 20; t++)
      appender.append(Labels.from({ __name__: 'up', instance: `i${i}` }), now - t * 15_000, 1);
  await appender.commit();
  const stores = await Promise.all(
    Array.from({ length: ENDPOINTS }, (_, i) => {
      const labelSets = [Labels.from({ cluster: `c${String(i).padStart(2, '0')}` })];
      const info = { component: 'sidecar', labelSets, mint: 0, maxt: Number.MAX_SAFE_INTEGER };
      return loopback(new QueryableStore(storage, () => info));
    }),
  );
  const addresses = stores.map(({ port }) => `127.0.0.1:${port}`);
  const query = encodeURIComponent('sum(up{cluster=~"c0[0-4]"})');
  return withQueriers([addresses.slice(0, ASKED), addresses], async (queriers) => {
    const urls = queriers.map(({ url }) => `${url}/api/v1/query?query=${query}`);
    const times: number[][] = urls.map(() => []);
    for (let i = 0; i < REQUESTS; i++)
      for (const [k, url] of urls.entries()) {
        const begin = performance.now();
        const answer = await (await fetch(url)).text();
        times[k].push(performance.now() - begin);
        if (!answer.includes(`"${ASKED * 100}"`)) throw new Error(answer.slice(0, 300));
      }
    const warm = times.map((list) => list.slice(REQUESTS / 3));
    const [few, all] = warm.map(median);
    for (const { close } of stores) await close();
    const head = [`${ASKED} endpoints, ms`, `${ENDPOINTS} endpoints, ms`, 'added'];
    return formatTable(head, [[few, all, all - few].map((ms) => ms.toFixed(2))]);
  });
}

const BROKEN_OFF = 12;
const ENDLESS = 20;

/** Stores that send without end: from the client's hang-up until the last of them is told to stop. */
export async function measureCancellation(): Promise<string> {
  let idleMs = 0;
  let busy = 0;
  const endless = (name: string): StoreServer => ({
    info: async () => ({
      component: 'sidecar',
      labelSets: [Labels.from({ cluster: name })],
      mint: 0,
      maxt: Number.MAX_SAFE_INTEGER,
    }),
    labelNames: async () => ({ values: [], warnings: [] }),
    labelValues: async () => ({ values: [], warnings: [] }),
    async *series(_tenant, _request, signal) {
      busy++;
      try {
        // An empty frame each millisecond: work that ends only when it is told to.
        while (!signal.aborted) {
          yield new Uint8Array();
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      } finally {
        busy--;
        idleMs = performance.now();
      }
    },
  });
  const stores = await Promise.all(Array.from({ length: ENDLESS }, (_, i) => loopback(endless(`c${i}`))));
  const addresses = stores.map(({ port }) => `127.0.0.1:${port}`);
  return withQueriers([addresses], async ([querier]) => {
    const times: number[] = [];
    for (let i = 0; i < BROKEN_OFF; i++) {
      const hangUp = new AbortController();
      const asked = fetch(`${querier.url}/api/v1/query?query=up`, { signal: hangUp.signal }).catch(() => {});
      while (busy < ENDLESS) await new Promise((resolve) => setTimeout(resolve, 5));
      const begin = performance.now();
      hangUp.abort();
      await asked;
      while (busy > 0) await new Promise((resolve) => setTimeout(resolve, 1));
      times.push(idleMs - begin);
    }
    for (const { close } of stores) await close();
    const slowest = Math.max(...times);
    return formatTable(
      ['stores', 'median ms', 'slowest ms'],
      [[`${ENDLESS}`, median(times).toFixed(1), slowest.toFixed(1)]],
    );
  });
}

async function withQueriers(
  endpoints: readonly (readonly string[])[],
  use: (queriers: readonly Peer[]) => Promise<string>,
): Promise<string> {
  const folder = await mkdtemp(CACHE);
  const queriers: Peer[] = [];
  try {
    for (const [i, addresses] of endpoints.entries())
      queriers.push(
        await startVerona(
          join(folder, `${i}`),
          [`--endpoint.address=${addresses.join()}`],
          undefined,
          'querier',
        ),
      );
    return await use(queriers);
  } finally {
    await Promise.all(queriers.map((querier) => querier.process.stop('SIGKILL')));
    await rm(folder, { recursive: true, force: true });
  }
}
