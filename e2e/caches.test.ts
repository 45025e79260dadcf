import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CALM } from '../src/objstore/acceptance.ts';
import { acceptCache } from '../src/objstore/cache/acceptance.ts';
import { CACHING_RULES } from '../src/objstore/cache/caching-bucket.ts';
import { MemcachedCache } from '../src/objstore/cache/memcached-cache.ts';
import { listedObjects, withCache } from '../src/objstore/cache/open-cache.ts';
import { RedisCache } from '../src/objstore/cache/redis-cache.ts';
import { MemoryBucket } from '../src/objstore/memory-bucket.ts';
import { SystemClock } from '../src/platform/clock.ts';
import { silentLogger } from '../src/platform/log.ts';
import { MemoryDisk } from '../src/platform/memory-disk.ts';
import { unpackDebian, withDependencies } from './debian.ts';
import { freePort, RealProcess } from './process.ts';

const START_TIMEOUT_MS = 300_000;
const clock = new SystemClock();
const servers: RealProcess[] = [];
const addresses: string[] = [];
let redis: string;

beforeAll(async () => {
  const root = await unpackDebian('caches', await withDependencies(['memcached', 'redis-server']));
  const lib = join(root, 'usr/lib/x86_64-linux-gnu');
  const environment = { LD_LIBRARY_PATH: [lib, join(root, 'lib/x86_64-linux-gnu')].join(':') };
  const start = async (name: string, path: string, args: (port: string) => string[]) => {
    const port = String(await freePort());
    servers.push(new RealProcess(name, join(root, path), args(port), environment));
    return `127.0.0.1:${port}`;
  };
  for (let i = 0; i < 2; i++)
    addresses.push(
      await start('memcached', 'usr/bin/memcached', (port) => [
        '-u',
        'root',
        '-l',
        '127.0.0.1',
        '-p',
        port,
        '-m',
        '64',
      ]),
    );
  redis = await start('redis', 'usr/bin/redis-server', (port) => [
    '--bind',
    '127.0.0.1',
    '--port',
    port,
    '--save',
    '',
    '--requirepass',
    'hush',
    '--daemonize',
    'no',
  ]);
  for (const address of [...addresses, redis]) await answers(address);
}, START_TIMEOUT_MS);

afterAll(async () => {
  for (const server of servers) await server.stop('SIGTERM', 5_000);
});

/** Resolves when something listens there. */
async function answers(address: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    const cache = address === redis ? await openRedis() : openMemcached([address]);
    const isThere = await cache.getMany(['a']).then(
      () => true,
      () => false,
    );
    await cache.close();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing answers at ${address}:\n${servers.map(({ output }) => output).join('\n')}`);
}

function openMemcached(at: readonly string[]): MemcachedCache {
  return new MemcachedCache({ addresses: at, timeoutMs: 5_000, itemBytesMax: 1024 * 1024 - 1024 }, clock);
}

function openRedis(): Promise<RedisCache> {
  return RedisCache.open({ addr: redis, password: 'hush' });
}

acceptCache('MemcachedCache on one memcached', async () => openMemcached(addresses.slice(0, 1)));
acceptCache('MemcachedCache on two', async () => openMemcached(addresses));
acceptCache('RedisCache on Redis', openRedis);

test('small files that one process kept are found by the next one, from its first question on', async () => {
  for (const options of [
    { type: 'MEMCACHED', config: { addresses, timeoutMs: 5_000, itemBytesMax: 1 << 20 } },
    { type: 'REDIS', config: { addr: redis, password: 'hush' } },
  ] as const) {
    const store = new MemoryBucket(clock);
    const key = 'acme/01HQ0000000000000000000001/meta.json';
    await store.upload(CALM, key, Buffer.from('{"ulid":1}'));
    const listed = { key, sizeBytes: 10, modifiedMs: clock.now() };
    const read = async () => {
      const cached = { ...options, rules: CACHING_RULES };
      const deps = { disk: new MemoryDisk(), clock, log: silentLogger };
      const objects = listedObjects(store, cached, 'unused', deps);
      await objects.start();
      const bytes = await objects.get(CALM, listed, 1 << 20);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await objects.stop();
      return Buffer.from(bytes).toString();
    };
    expect(await read(), options.type).toBe('{"ulid":1}');
    await store.delete(CALM, key);
    expect(await read(), options.type).toBe('{"ulid":1}');
  }
});

test('a bucket goes on when its cache dies and when it is back', async () => {
  for (const [type, config] of [
    ['MEMCACHED', { addresses: [addresses[1]], timeoutMs: 300, itemBytesMax: 1 << 20 }],
    ['REDIS', { addr: redis, password: 'hush' }],
  ] as const) {
    const store = new MemoryBucket(clock);
    const key = 'acme/01HQ0000000000000000000001/index';
    await store.upload(CALM, key, new Uint8Array(100_000).fill(3));
    const options = { type, config, rules: CACHING_RULES } as Parameters<typeof withCache>[1];
    const bucket = await withCache(store, options, { disk: new MemoryDisk(), clock, log: silentLogger });
    const read = async (at: number) => (await bucket.getRange(CALM, key, at, 10)).every((byte) => byte === 3);
    expect(await read(0)).toBe(true);
    const server = servers[type === 'REDIS' ? 2 : 1];
    server.child.kill('SIGSTOP');
    for (let i = 0; i < 12; i++) expect(await read(i * 5000)).toBe(true);
    server.child.kill('SIGCONT');
    expect(await read(50)).toBe(true);
    await server.stop('SIGKILL', 5_000);
    for (let i = 0; i < 12; i++) expect(await read(i * 5000)).toBe(true);
    await bucket.close();
  }
});
