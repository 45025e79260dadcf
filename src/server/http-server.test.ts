import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { SystemClock } from '../platform/clock.ts';
import type { HttpRequest, HttpResponse } from '../platform/http.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { noTracer } from '../platform/trace.ts';
import { tenantOf } from '../tenancy/tenant-id.ts';
import { HttpServer, OPEN_ACCESS } from './http-server.ts';

const BODY_MAX = 100_000;
const BODIES_MAX = 200_000;

let server: HttpServer;
let port: number;
let ready: boolean;
let seen: { body: Uint8Array; tenant: string; parts: number | undefined }[];
let metrics: Metrics;

async function handle(request: HttpRequest): Promise<HttpResponse> {
  seen.push({ body: request.body.slice(), tenant: request.tenant, parts: request.bodyParts?.length });
  if (request.headers['x-wait'])
    await new Promise<void>((resolve) =>
      request.signal.addEventListener('abort', () => setTimeout(resolve, 50)),
    );
  if (request.headers['x-fail'] === 'known') throw new VeronaError('bad_data', 'no good');
  if (request.headers['x-fail'] === 'unknown') throw new Error('a defect');
  return request.body.length === 0 ? { status: 204 } : { status: 200, body: `${request.body.length}` };
}

function echoName({ params }: HttpRequest): HttpResponse {
  return { status: 200, body: params.name };
}

function newServer(port: number): HttpServer {
  const route = { methods: ['POST'], bodyMax: BODY_MAX, handle } as const;
  return new HttpServer(
    {
      clock: new SystemClock(),
      host: '127.0.0.1',
      port,
      allowsOrigin: (origin) => origin === 'http://ours',
      requestTimeoutMs: 10_000,
      connectionsMax: 10,
      bodyBytesMax: BODIES_MAX,
      access: OPEN_ACCESS,
      tenantOf: (headers) => tenantOf(headers, 'anonymous'),
      tracer: noTracer,
      isReady: () => ready,
    },
    [
      { ...route, path: '/direct', isDirect: true },
      { ...route, path: '/routed' },
      { ...route, path: '/thing/:name/direct', isDirect: true, methods: ['GET'], handle: echoName },
      { ...route, path: '/thing/:name/routed', methods: ['GET'], handle: echoName },
      { ...route, path: '/changes', refusesForeignOrigins: true },
      { ...route, path: '/everybodys', ofAllTenants: true },
      { ...route, path: '/everybodys-directly', ofAllTenants: true, isDirect: true },
    ],
    silentLogger,
    metrics,
  );
}

beforeEach(async () => {
  seen = [];
  ready = true;
  metrics = new Metrics();
  server = newServer(0);
  ({ port } = await server.listen());
});
afterEach(() => server.close(1000));

function post(path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    body,
    headers,
    duplex: 'half',
  } as RequestInit);
}

/** Sends bytes as they are and resolves with everything that came back until the server closes. */
function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('error', () => resolve(answer));
    socket.on('close', () => resolve(answer));
  });
}

describe.each(['/direct', '/routed'])('a request to %s', (path) => {
  test('arrives whole, with its tenant, and again on the same connection', async () => {
    const body = Uint8Array.from({ length: 90_000 }, (_, i) => i);
    for (let i = 0; i < 3; i++) {
      const response = await post(path, body, { 'x-scope-orgid': `team-${i}` });
      expect([response.status, await response.text()]).toEqual([200, '90000']);
      expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(seen[i].tenant).toBe(`team-${i}`);
      expect(Buffer.compare(seen[i].body, body)).toBe(0);
    }
    expect((await post(path, '')).status).toBe(204);
  });

  test('with too large a body is 413, whether it says so or not', async () => {
    expect((await post(path, new Uint8Array(BODY_MAX + 1))).status).toBe(413);
    const chunk = `${(BODY_MAX + 1).toString(16)}\r\n${'x'.repeat(BODY_MAX + 1)}`;
    const answer = await raw(
      `POST ${path} HTTP/1.1\r\nhost: v\r\ntransfer-encoding: chunked\r\n\r\n${chunk}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/connection: close/i);
    expect(seen).toEqual([]);
  });

  test('that fails is answered in words, and the server goes on', async () => {
    expect((await post(path, 'x', { 'x-fail': 'known' })).status).toBe(400);
    const response = await post(path, 'x', { 'x-fail': 'unknown' });
    expect([response.status, await response.json()]).toEqual([
      500,
      { status: 'error', errorType: 'internal', error: 'a defect' },
    ]);
    expect((await post(path, 'x', { 'x-scope-orgid': 'a/b' })).status).toBe(400);
    expect((await post(path, 'x')).status).toBe(200);
  });

  test('is 503 until the server is ready', async () => {
    ready = false;
    const response = await post(path, 'x');
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
  });

  test('has the headers of its origin when that is allowed', async () => {
    const ours = await post(path, 'x', { origin: 'http://ours' });
    expect(ours.headers.get('access-control-allow-origin')).toBe('http://ours');
    const theirs = await post(path, 'x', { origin: 'http://theirs' });
    expect(theirs.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('is found with a slash and a query behind it', async () => {
    expect((await post(`${path}/?a=b`, 'x')).status).toBe(200);
  });

  test('whose client hangs up amid the body is dropped', async () => {
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(`POST ${path} HTTP/1.1\r\nhost: v\r\ncontent-length: 100\r\n\r\nhalf`, () => {
          socket.destroy();
          resolve();
        });
      });
    });
    expect((await post(path, 'x')).status).toBe(200);
    expect(seen.length).toBe(1);
  });

  test('whose body is one too many is 503 until the others are answered', async () => {
    const waiting = Array.from({ length: 2 }, () => connect(port, '127.0.0.1'));
    const ends = waiting.map((socket) => new Promise((resolve) => socket.on('close', resolve)));
    for (const socket of waiting)
      socket.write(`POST ${path} HTTP/1.1\r\nhost: v\r\ncontent-length: 100000\r\n\r\n${'x'.repeat(99_000)}`);
    const held = async () => /request_body_bytes (\d+)/.exec(await metrics.registry.metrics())?.[1];
    await expect.poll(held).toBe('198000');
    const refused = await post(path, 'x'.repeat(3000));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await refused.text()).toContain('http.max_request_bytes_in_flight');
    expect((await post(path, 'x'.repeat(1500))).status).toBe(200);
    waiting[0].destroy();
    waiting[1].resume().end('x'.repeat(1000));
    await Promise.all(ends);
    await expect.poll(held).toBe('0');
    expect((await post(path, 'x'.repeat(3000))).status).toBe(200);
  });

  test('whose client hangs up while it is worked on gives its body back', async () => {
    const held = async () => /request_body_bytes (\d+)/.exec(await metrics.registry.metrics())?.[1];
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: v\r\nx-wait: 1\r\ncontent-length: 1000\r\n\r\n${'x'.repeat(1000)}`,
    );
    await expect.poll(() => seen.length).toBe(1);
    expect(await held()).toBe('1000');
    socket.destroy();
    await expect.poll(held).toBe('0');
  });

  test('is counted by route and status', async () => {
    await post(path, 'x');
    await post(path, 'x', { 'x-fail': 'known' });
    const text = await metrics.registry.metrics();
    for (const status of [200, 400])
      expect(text).toContain(
        `verona_http_request_duration_seconds_count{method="POST",route="${path}",status_code="${status}"} 1`,
      );
  });
});

test('only a direct route gets the body in the pieces it came in', async () => {
  await post('/direct', new Uint8Array(90_000));
  await post('/routed', new Uint8Array(90_000));
  expect(seen[0].parts).toBeGreaterThan(0);
  expect(seen[1].parts).toBeUndefined();
});

test('connections end with the answer once the server is closing', async () => {
  const closing = new Promise<void>((resolve) => setTimeout(resolve, 50)).then(() => server.close(1000));
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  socket.write('POST /direct HTTP/1.1\r\nhost: v\r\ncontent-length: 2\r\n\r\na');
  setTimeout(() => socket.write('b'), 100);
  await new Promise((resolve) => socket.on('close', resolve));
  await closing;
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  expect(answer).toMatch(/connection: close/i);
});

test('another method than a route takes is 405, another path 404', async () => {
  const get = async (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  const wrong = await get('/routed');
  expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST']);
  expect((await get('/direct')).status).toBe(405);
  expect((await get('/nowhere')).status).toBe(404);
});

test('the content type of JSON is that of Prometheus, without a character set', async () => {
  const response = await post('/routed', 'x', { 'x-fail': 'known' });
  expect(response.headers.get('content-type')).toBe('application/json');
});

test.each(['/everybodys', '/everybodys-directly'])(
  '%s is not for credentials of some tenants',
  async (path) => {
    const tokens = [{ token: 'token-for-all-of-them' }, { token: 'token-of-one-of-them', tenants: ['acme'] }];
    server.replaceAccess({ ...OPEN_ACCESS, rules: { users: [], tokens, openPaths: [] } });
    const status = async (token: string) =>
      (await post(path, 'a', { authorization: `Bearer ${token}`, 'x-scope-orgid': 'acme' })).status;
    expect(await status('token-of-one-of-them')).toBe(403);
    expect(await status('token-for-all-of-them')).toBe(200);
  },
);

test.each(['direct', 'routed'])('a parameter of a %s path is decoded', async (kind) => {
  const get = async (name: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/thing/${name}/${kind}`);
    return [response.status, await response.text()];
  };
  expect(await get('a%2Fb%C3%A9')).toEqual([200, 'a/bé']);
  expect(await get('direct')).toEqual([200, 'direct']);
  expect((await get('a/b'))[0]).toBe(404);
  expect((await get('%ff'))[0]).toBe(400);
});

test('a route that changes things is not for pages of other sites', async () => {
  const status = async (headers: Record<string, string>) => (await post('/changes', '', headers)).status;
  expect(await status({})).toBe(204);
  expect(await status({ origin: 'http://ours' })).toBe(204);
  expect(await status({ origin: `http://127.0.0.1:${port}` })).toBe(204);
  expect(await status({ origin: 'https://verona.example', 'x-forwarded-host': 'verona.example:443' })).toBe(
    204,
  );
  for (const origin of ['http://theirs', `http://127.0.0.1:${port + 1}`, 'null', 'http://127.0.0.1'])
    expect(await status({ origin })).toBe(403);
  expect(await (await post('/changes', '', { origin: 'http://theirs' })).text()).toContain(
    'http.cors_origin',
  );
  expect((await post('/direct', 'a', { origin: 'http://theirs' })).status).toBe(200);
});

test('a port that another process has is named with what to do', async () => {
  await expect(newServer(port).listen()).rejects.toThrow(
    `127.0.0.1:${port} is in use by another process; stop that one or choose another address with --http.listen-address`,
  );
});
