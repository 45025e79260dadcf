import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { SystemClock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import { SeededRandom } from '../platform/random.ts';
import { CALM, collect } from './acceptance.ts';
import { S3Bucket } from './s3-bucket.ts';
import type { S3Options } from './s3-options.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

let server: Server | undefined;
let bucket: S3Bucket | undefined;
const requests: { method: string; url: string; headers: IncomingMessage['headers'] }[] = [];

afterEach(async () => {
  await bucket?.close();
  server?.closeAllConnections();
  server?.close();
  requests.length = 0;
});

/** A store that gives one answer after the other, the last one for ever. */
async function serve(answers: readonly Answer[], more: Partial<S3Options> = {}): Promise<S3Bucket> {
  server = createServer((request, response) => {
    requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    request.resume();
    const answer = answers[Math.min(requests.length, answers.length) - 1];
    request.on('end', () => answer(response, request));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const options: S3Options = {
    bucket: 'blocks',
    endpoint: `127.0.0.1:${port}`,
    insecure: true,
    access_key: 'AK',
    secret_key: 'HUSH-HUSH',
    max_retries: 2,
    ...more,
  };
  bucket = await S3Bucket.open(options, {
    disk: undefined as unknown as Disk,
    clock: new SystemClock(),
    random: new SeededRandom(1),
  });
  return bucket;
}

const status =
  (code: number, body = ''): Answer =>
  (response) =>
    response.writeHead(code, { 'content-type': 'application/xml' }).end(body);
const ok =
  (body: string): Answer =>
  (response) =>
    response.writeHead(200, { 'content-length': body.length }).end(body);
const denied = status(403, '<Error><Code>AccessDenied</Code><Message>no</Message></Error>');

test('a server error is tried again until it works', async () => {
  const store = await serve([status(503), status(500), ok('data')]);
  expect(Buffer.from(await store.get(CALM, 'a')).toString()).toBe('data');
  expect(requests).toHaveLength(3);
});

test('tries end at their limit', async () => {
  const store = await serve([status(503)]);
  await expect(store.get(CALM, 'a')).rejects.toMatchObject({ code: 'unavailable' });
  expect(requests).toHaveLength(3);
});

test('an answer below 500 is never tried again, and no secret is in the error', async () => {
  const store = await serve([denied]);
  const calls = [
    () => store.get(CALM, 'a'),
    () => store.upload(CALM, 'a', new Uint8Array(3)),
    () => store.delete(CALM, 'a'),
    () => collect(store.list(CALM, '')),
  ];
  for (const call of calls) {
    const error = await call().then(
      () => undefined,
      (error: Error) => error,
    );
    expect(error).toMatchObject({ code: 'internal' });
    expect(error?.message).not.toContain('HUSH');
  }
  expect(requests).toHaveLength(calls.length);
});

test('a body that breaks off is fetched again from its start', async () => {
  const breaking: Answer = (response) => {
    response.writeHead(200, { 'content-length': 10 }).write('01234');
    setTimeout(() => response.destroy(), 20);
  };
  const store = await serve([breaking, ok('0123456789')]);
  expect(Buffer.from(await store.getRange(CALM, 'a', 0, 10)).toString()).toBe('0123456789');
  expect(requests).toHaveLength(2);
  expect(requests[0].headers.range).toBe('bytes=0-9');
});

test('a store that does not answer is given up after the time limit', async () => {
  const store = await serve([() => {}], { max_retries: 0, http_config: { response_header_timeout_ms: 100 } });
  await expect(store.get(CALM, 'a')).rejects.toMatchObject({ code: 'timeout' });
});

test('a body that stalls is given up after the time limit', async () => {
  const stalling: Answer = (response) => {
    response.writeHead(200, { 'content-length': 10 }).write('01234');
  };
  const store = await serve([stalling], { max_retries: 0, http_config: { response_header_timeout_ms: 100 } });
  await expect(store.get(CALM, 'a')).rejects.toMatchObject({ name: 'VeronaError' });
});

test('cancelling ends a call that waits for an answer or for a body', async () => {
  const stalling: Answer = (response) => {
    response.writeHead(200, { 'content-length': 10 }).write('01234');
  };
  for (const answer of [() => {}, stalling]) {
    const store = await serve([answer]);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await expect(store.get(controller, 'a')).rejects.toMatchObject({ code: 'canceled' });
    server?.closeAllConnections();
    server?.close();
  }
});

test('requests at once are bounded', async () => {
  let open = 0;
  let openMax = 0;
  const counting: Answer = (response) => {
    openMax = Math.max(openMax, ++open);
    setTimeout(() => {
      open--;
      response.writeHead(200, { 'content-length': 1 }).end('x');
    }, 10);
  };
  const store = await serve([counting], { http_config: { max_conns_per_host: 3 } });
  await Promise.all(Array.from({ length: 20 }, () => store.get(CALM, 'a')));
  expect(openMax).toBe(3);
});

test('style, encryption and metadata reach the store', async () => {
  const store = await serve([status(200)], {
    sse_config: { type: 'SSE-KMS', kms_key_id: 'key-1' },
    put_user_metadata: { who: 'verona' },
  });
  await store.create(CALM, 'a/b c', new Uint8Array(3));
  expect(requests[0]).toMatchObject({ method: 'PUT' });
  expect(requests[0].url).toMatch(/^\/blocks\/a\/b%20c/);
  expect(requests[0].headers).toMatchObject({
    'if-none-match': '*',
    'x-amz-server-side-encryption': 'aws:kms',
    'x-amz-server-side-encryption-aws-kms-key-id': 'key-1',
    'x-amz-meta-who': 'verona',
  });
});

test('a token goes with every request, encryption with what writes, and nobody asks for leave to send', async () => {
  const answers: Answer = (response, { method, url }) => {
    const begins = method === 'POST' && url?.includes('uploads');
    const body = begins
      ? '<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>'
      : '<CompleteMultipartUploadResult/>';
    if (method === 'GET') response.writeHead(200, { 'content-length': 1 }).end('x');
    else if (method === 'POST') response.writeHead(200).end(body);
    else response.writeHead(200, { etag: '"e"' }).end();
  };
  const store = await serve([answers], {
    session_token: 'TOKEN-OF-A-ROLE',
    sse_config: { type: 'SSE-S3' },
    part_size: 5 * 1024 * 1024,
  });
  await store.upload(CALM, 'small', new Uint8Array(3 * 1024 * 1024));
  await store.upload(CALM, 'large', new Uint8Array(6 * 1024 * 1024));
  await store.get(CALM, 'small');
  const sent = requests.map(({ method, url, headers }) => ({
    what: `${method} ${/[?&](uploads|partNumber|uploadId)/.exec(url)?.[1] ?? ''}`.trim(),
    headers,
  }));
  expect(sent.map(({ what }) => what).sort()).toEqual([
    'GET',
    'POST uploadId',
    'POST uploads',
    'PUT',
    'PUT partNumber',
    'PUT partNumber',
  ]);
  for (const { what, headers } of sent) {
    const encrypts = what === 'PUT' || what === 'POST uploads';
    expect(headers['x-amz-server-side-encryption'], what).toBe(encrypts ? 'AES256' : undefined);
    expect(headers['x-amz-security-token'], what).toBe('TOKEN-OF-A-ROLE');
    expect(headers.authorization, what).toMatch(/SignedHeaders=[^,]*x-amz-security-token/);
    expect(headers.expect, what).toBeUndefined();
  }
});

test('a failing part ends the upload and takes the others back', async () => {
  const answers: Answer = (response, { method, url }) => {
    if (method === 'POST' && url?.includes('uploads'))
      return ok('<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>')(
        response,
        undefined as unknown as IncomingMessage,
      );
    if (method === 'PUT' && url?.includes('partNumber=2'))
      return denied(response, undefined as unknown as IncomingMessage);
    response.writeHead(method === 'DELETE' ? 204 : 200, { etag: '"e"' }).end();
  };
  const store = await serve([answers], { part_size: 5 * 1024 * 1024 });
  const slowBody = async function* () {
    for (let i = 0; i < 8; i++) {
      yield new Uint8Array(5 * 1024 * 1024);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await expect(store.upload(CALM, 'large', slowBody())).rejects.toMatchObject({ code: 'internal' });
  const sent = requests.map(({ method, url }) => `${method} ${url.replace(/^[^?]*\?/, '')}`);
  expect(sent.at(-1)).toContain('DELETE');
  expect(sent.at(-1)).toContain('uploadId=u1');
  expect(sent.some((line) => line.startsWith('POST') && line.includes('uploadId'))).toBe(false);
  expect(sent.length).toBeLessThan(9);
});
