import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Peer, startVerona } from './peers.ts';
import { freePort } from './process.ts';
import { floats, push } from './push.ts';

mkdirSync(join(import.meta.dirname, '../.cache'), { recursive: true });
const folder = mkdtempSync(join(import.meta.dirname, '../.cache/e2e-'));
const STEP = 15_000;
const SAMPLES = 200;
const end = Math.floor(Date.now() / STEP) * STEP;
const start = end - (SAMPLES - 1) * STEP;

interface Store {
  readonly peer: Peer;
  readonly grpc: string;
}

const stores: Record<string, Store> = {};
let querier: Peer;
let stacked: Peer;
let proxy: FaultProxy;

beforeAll(async () => {
  const [a, b, us] = await Promise.all([
    startStore('a', ['cluster=eu', 'replica=a']),
    startStore('b', ['cluster=eu', 'replica=b']),
    startStore('us', ['cluster=us', 'replica=a']),
  ]);
  Object.assign(stores, { a, b, us });
  await Promise.all([
    push(
      a.peer.writeUrl,
      series(0, (i) => i < 60 || i > 120),
    ),
    push(
      b.peer.writeUrl,
      series(5000, (i) => i > 30),
    ),
    push(
      us.peer.writeUrl,
      series(0, () => true),
    ),
  ]);
  proxy = await FaultProxy.before(us.grpc);
  querier = await startQuerier('querier', [a.grpc, b.grpc, proxy.address]);
  stacked = await startQuerier('stacked', [grpcOf(querier)]);
}, 120_000);

afterAll(async () => {
  proxy?.close();
  await Promise.all(
    [...Object.values(stores).map(({ peer }) => peer), querier, stacked].map((peer) => peer?.process.stop()),
  );
  rmSync(folder, { recursive: true, force: true });
});

const grpcAddresses = new Map<Peer, string>();
const grpcOf = (peer: Peer) => grpcAddresses.get(peer)!;

async function startStore(name: string, external: readonly string[]): Promise<Store> {
  const grpc = `127.0.0.1:${await freePort()}`;
  const peer = await startVerona(join(folder, name), [
    '--grpc.enabled=true',
    `--grpc.listen-address=${grpc}`,
    `--grpc.external-labels=${external.join(',')}`,
    '--grpc.tenant-label=',
    '--self-metrics.enabled=false',
  ]);
  return { peer, grpc };
}

async function startQuerier(name: string, endpoints: readonly string[]): Promise<Peer> {
  const grpc = `127.0.0.1:${await freePort()}`;
  const peer = await startVerona(
    join(folder, name),
    [
      '--grpc.enabled=true',
      `--grpc.listen-address=${grpc}`,
      `--endpoint.address=${endpoints.join(',')}`,
      '--endpoint.check-interval=200ms',
      '--endpoint.response-timeout=2s',
      '--query.replica-label=replica',
    ],
    undefined,
    'querier',
  );
  grpcAddresses.set(peer, grpc);
  return peer;
}

/** A counter that both replicas see, at their own times. */
function series(offset: number, has: (i: number) => boolean) {
  const times = Array.from({ length: SAMPLES }, (_, i) => i).filter(has);
  return ['x', 'y'].map((path) =>
    floats(
      { __name__: 'requests_total', job: 'web', path },
      times.map((i) => [start + i * STEP + offset, i * STEP + offset] as const),
    ),
  );
}

async function ask(peer: Peer, query: string, parameters: Record<string, string> = {}) {
  const url = new URL(`${peer.url}/api/v1/query_range`);
  const range = { start: `${start / 1000}`, end: `${end / 1000}`, step: '15' };
  for (const [name, value] of Object.entries({ query, ...range, ...parameters }))
    url.searchParams.set(name, value);
  const response = await fetch(url);
  const answer = (await response.json()) as Answer;
  return { ...answer, status: response.status, cache: response.headers.get('cache-control') };
}

interface Answer {
  readonly data: {
    readonly result: { readonly metric: Record<string, string>; readonly values: [number, string][] }[];
  };
  readonly warnings?: readonly string[];
  readonly error?: string;
}

test('one query sees all stores, replicas as one series without a hole or a spike', async () => {
  const { data, warnings } = await ask(querier, 'rate(requests_total[2m])');
  expect(warnings).toBeUndefined();
  expect(data.result.map(({ metric }) => metric)).toEqual([
    { cluster: 'eu', job: 'web', path: 'x' },
    { cluster: 'eu', job: 'web', path: 'y' },
    { cluster: 'us', job: 'web', path: 'x' },
    { cluster: 'us', job: 'web', path: 'y' },
  ]);
  for (const { values } of data.result) {
    expect(values.length).toBeGreaterThan(SAMPLES - 4);
    // Before two minutes are full a rate is not extrapolated over all of them, and over a seam of replicas not fully.
    for (const [t, value] of values) {
      expect(Number(value)).toBeLessThan(1000.001);
      if (t >= start / 1000 + 120) expect(Number(value)).toBeGreaterThan(850);
    }
  }
});

test('each store’s own answers are the querier’s with its labels', async () => {
  const own = await ask(stores.us.peer, 'sum by (path) (requests_total)');
  const through = await ask(querier, 'sum by (path) (requests_total{cluster="us"})');
  expect(through.data).toEqual(own.data);
});

test('without deduplication each replica is shown, and storeMatch[] chooses stores', async () => {
  const all = await ask(querier, 'requests_total', { dedup: 'false' });
  expect(all.data.result).toHaveLength(6);
  const matched = await ask(querier, 'requests_total', { 'storeMatch[]': '{cluster="us"}' });
  expect(matched.data.result.map(({ metric }) => metric.cluster)).toEqual(['us', 'us']);
  const byAddress = await ask(querier, 'requests_total', {
    'storeMatch[]': `{__address__="${stores.b.grpc}"}`,
  });
  expect(byAddress.data.result).toHaveLength(2);
});

test('a split query gives the answers of the whole', async () => {
  const query = 'rate(requests_total{cluster="eu",path="x"}[1m])';
  const whole = (await ask(querier, query)).data.result[0].values;
  const cut = (start + 75 * STEP) / 1000;
  const first = (await ask(querier, query, { end: `${cut}` })).data.result[0].values;
  const second = (await ask(querier, query, { start: `${cut + 15}` })).data.result[0].values;
  expect([...first, ...second]).toEqual(whole);
});

test('a querier over the querier gives the same answers', async () => {
  const query = 'sum by (cluster, path) (rate(requests_total[2m]))';
  expect((await ask(stacked, query)).data).toEqual((await ask(querier, query)).data);
});

test('the stores are listed with their labels', async () => {
  const { data } = (await (await fetch(`${querier.url}/api/v1/stores`)).json()) as {
    data: { receive: { name: string; labelSets: object[]; lastError: string | null }[] };
  };
  expect(data.receive.map(({ labelSets }) => labelSets)).toEqual([
    [{ cluster: 'eu', replica: 'a' }],
    [{ cluster: 'eu', replica: 'b' }],
    [{ cluster: 'us', replica: 'a' }],
  ]);
});

test('a store that stalls or sends garbage is a warning, or an error when partial answers are not wanted', async () => {
  for (const fault of ['stall', 'garbage'] as const) {
    proxy.fault = fault;
    const begun = performance.now();
    const partial = await ask(querier, 'requests_total');
    expect(performance.now() - begun).toBeLessThan(15_000);
    expect(partial.data.result.map(({ metric }) => metric.cluster)).toEqual(['eu', 'eu']);
    expect(partial.warnings?.join()).toContain(proxy.address);
    expect(partial.cache).toBe('no-store');
    const strict = await ask(querier, 'requests_total', { partial_response: 'false' });
    expect(strict.status).not.toBe(200);
    expect(strict.error).toContain(proxy.address);
    proxy.fault = undefined;
    await expect
      .poll(async () => (await ask(querier, 'requests_total')).data.result.length, { timeout: 30_000 })
      .toBe(4);
  }
}, 90_000);

test('a replica that dies leaves no hole, and one that nobody replaces is missed by name', async () => {
  await stores.a.peer.process.stop('SIGKILL');
  const { data, warnings } = await ask(querier, 'rate(requests_total{cluster="eu",path="x"}[2m])');
  expect(warnings?.join()).toContain(stores.a.grpc);
  expect(data.result[0].values.length).toBeGreaterThan(150);
  const { status, error } = await ask(querier, 'requests_total', { partial_response: 'false' });
  expect(status).not.toBe(200);
  expect(error).toContain(stores.a.grpc);
});

/** Hands bytes through, or does what broken networks do. */
class FaultProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly address: string;
  #fault: 'stall' | 'garbage' | undefined;

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  static async before(target: string): Promise<FaultProxy> {
    const [host, port] = target.split(':');
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const made = new FaultProxy(server, `127.0.0.1:${(server.address() as { port: number }).port}`);
    server.on('connection', (client) => {
      const upstream = connect(Number(port), host);
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ]) {
        made.#sockets.add(from);
        from.on('data', (bytes) => made.#pass(bytes, from === upstream, to));
        from.on('close', () => to.destroy());
        from.on('error', () => to.destroy());
      }
    });
    return made;
  }

  set fault(fault: 'stall' | 'garbage' | undefined) {
    this.#fault = fault;
    // What was held back is lost, so connections begin anew.
    if (fault === undefined) for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #pass(bytes: Buffer, isAnswer: boolean, to: Socket): void {
    if (isAnswer && this.#fault === 'stall') return;
    to.write(isAnswer && this.#fault === 'garbage' ? bytes.map((byte) => byte ^ 0x5a) : bytes);
  }
}
