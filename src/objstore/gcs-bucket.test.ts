import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { SystemClock } from '../platform/clock.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SeededRandom } from '../platform/random.ts';
import { acceptBucket, CALM, collect } from './acceptance.ts';
import { GcsBucket } from './gcs-bucket.ts';
import type { GcsOptions } from './gcs-options.ts';
import { GcsServer } from './testdata/gcs-server.ts';

const server = new GcsServer();
let endpoint: string;
let count = 0;

beforeAll(async () => {
  endpoint = await server.start();
});
afterEach(() => {
  server.intercept = () => false;
  server.pageSizeMax = 1000;
});
afterAll(() => server.stop());

function open(more: Partial<GcsOptions> = {}): Promise<GcsBucket> {
  const bucket = `verona-${++count}`;
  server.buckets.set(bucket, new Map());
  const options = { bucket, endpoint, max_retries: 2, chunk_size_bytes: 1024 * 1024, ...more };
  return GcsBucket.open(options, {
    disk: new NodeDisk(),
    clock: new SystemClock(),
    random: new SeededRandom(1),
  });
}

acceptBucket('GcsBucket', () => open());

test('a listing goes on beyond pages, by folder too', async () => {
  server.pageSizeMax = 2;
  const bucket = await open();
  const keys = ['a', 'b/1', 'b/2', 'c/1', 'd', 'e'];
  for (const key of keys) await bucket.upload(CALM, key, new Uint8Array(1));
  expect((await collect(bucket.list(CALM, '', { recursive: true }))).map(({ key }) => key)).toEqual(keys);
  expect((await collect(bucket.list(CALM, ''))).map(({ key }) => key)).toEqual(['a', 'b/', 'c/', 'd', 'e']);
});

test('a piece of a resumable upload whose answer is lost goes on where the store is', async () => {
  const bucket = await open();
  let puts = 0;
  server.intercept = (request, response, body) => {
    if (request.method !== 'PUT' || body.length === 0) return false;
    puts++;
    if (puts === 2) {
      // Taken in part: the store keeps the first 256 KiB and the connection breaks.
      const [session] = server.sessions.values();
      session.data = Buffer.concat([session.data, body.subarray(0, 256 * 1024)]);
      response.destroy();
      return true;
    }
    if (puts === 4) {
      const [session] = server.sessions.values();
      session.data = Buffer.concat([session.data, body]);
      response.destroy();
      return true;
    }
    return false;
  };
  const data = new Uint8Array(3.5 * 1024 * 1024).map((_, i) => (i * 7) ^ (i >> 9));
  await bucket.upload(CALM, 'large', data);
  expect(Buffer.compare(await bucket.get(CALM, 'large'), data)).toBe(0);
  expect(puts).toBeGreaterThan(4);
});

test('a session that fails is taken back', async () => {
  const bucket = await open();
  const broken = async function* () {
    yield new Uint8Array(3 * 1024 * 1024);
    throw new Error('the source broke');
  };
  await expect(bucket.upload(CALM, 'large', broken())).rejects.toThrow('the source broke');
  expect(server.sessions.size).toBe(0);
});

test('a creation whose answer was lost is found to be our own, another’s is not', async () => {
  const bucket = await open();
  let isLost = true;
  server.intercept = (request, response, body) => {
    if (!isLost || request.method !== 'POST') return false;
    isLost = false;
    [...server.buckets.values()].at(-1)?.set('lock', { data: body, updated: new Date().toISOString() });
    response.destroy();
    return true;
  };
  await bucket.create(CALM, 'lock', Buffer.from('mine'));
  await expect(bucket.create(CALM, 'lock', Buffer.from('mine'))).rejects.toMatchObject({ code: 'conflict' });
});

test('server errors are tried again, refusals are not', async () => {
  const bucket = await open();
  await bucket.upload(CALM, 'a', Buffer.from('data'));
  const statuses = [503, 429];
  let requests = 0;
  server.intercept = (_, response) => {
    requests++;
    const status = statuses.shift();
    if (status) response.writeHead(status).end('{"error":{"message":"later"}}');
    return status !== undefined;
  };
  expect(Buffer.from(await bucket.get(CALM, 'a')).toString()).toBe('data');
  expect(requests).toBe(3);
  requests = 0;
  server.intercept = (_, response) => {
    requests++;
    response.writeHead(403).end('{"error":{"message":"no"}}');
    return true;
  };
  await expect(bucket.get(CALM, 'a')).rejects.toMatchObject({ code: 'internal' });
  expect(requests).toBe(1);
});

test('a body that breaks off is fetched again', async () => {
  const bucket = await open();
  await bucket.upload(CALM, 'a', Buffer.from('0123456789'));
  let isFirst = true;
  server.intercept = (_, response) => {
    if (!isFirst) return false;
    isFirst = false;
    response.writeHead(206, { 'content-length': 10, 'content-range': 'bytes 0-9/10' }).write('01234');
    setTimeout(() => response.destroy(), 20);
    return true;
  };
  expect(Buffer.from(await bucket.getRange(CALM, 'a', 0, 10)).toString()).toBe('0123456789');
});

test('a range that is not the one asked for is an error, and shorter only at the end of the object', async () => {
  const bucket = await open();
  await bucket.upload(CALM, 'a', Buffer.from('0123456789'));
  const answers: [string, string | undefined][] = [
    ['4567', 'bytes 4-7/8'],
    ['4567', 'bytes 4-7/10'],
    ['56789', 'bytes 5-9/10'],
    ['45678', undefined],
  ];
  server.intercept = (_, response) => {
    const [body, range] = answers.shift() ?? [];
    response.writeHead(206, range ? { 'content-range': range } : {}).end(body);
    return true;
  };
  expect(Buffer.from(await bucket.getRange(CALM, 'a', 4, 5)).toString()).toBe('4567');
  for (const _ of ['shorter', 'later', 'unnamed'])
    await expect(bucket.getRange(CALM, 'a', 4, 5)).rejects.toMatchObject({ code: 'internal' });
});

test('cancelling and the time limit end a call that waits for an answer or a body', async () => {
  const stalls = [
    () => true,
    (_: unknown, response: import('node:http').ServerResponse) => {
      response.writeHead(206, { 'content-length': 10 }).write('01234');
      return true;
    },
  ];
  for (const stall of stalls) {
    server.intercept = stall;
    const bucket = await open();
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await expect(bucket.get(controller, 'a')).rejects.toMatchObject({ code: 'canceled' });
    const hasty = await open({ http_config: { response_header_timeout_ms: 50 }, max_retries: 1 });
    await expect(hasty.get(CALM, 'a')).rejects.toMatchObject({ code: 'timeout' });
  }
});

test('a missing bucket is told apart from a missing object, and credentials that cannot be are refused unquoted', async () => {
  const missing = await open({ bucket: 'nowhere' });
  await expect(missing.get(CALM, 'a')).rejects.toMatchObject({ code: 'internal' });
  await expect(collect(missing.list(CALM, ''))).rejects.toMatchObject({ code: 'internal' });
  const wrong = open({ endpoint: undefined, service_account: '{"private_key": HUSH' });
  await expect(wrong).rejects.toMatchObject({
    code: 'bad_data',
    message: expect.not.stringContaining('HUSH'),
  });
});
