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
/** Bytes of a larger object. */
const part =
  (body: string, offset: number, sizeBytes: number): Answer =>
  (response) => {
    const range = `bytes ${offset}-${offset + body.length - 1}/${sizeBytes}`;
    response.writeHead(206, { 'content-length': body.length, 'content-range': range }).end(body);
  };
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
    response.writeHead(206, { 'content-length': 10, 'content-range': 'bytes 0-9/30' }).write('01234');
    setTimeout(() => response.destroy(), 20);
  };
  const store = await serve([breaking, part('0123456789', 0, 30)]);
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
  const http_config = { response_header_timeout_ms: 100 };
  const once = await serve([stalling], { max_retries: 0, http_config });
  await expect(once.get(CALM, 'a')).rejects.toMatchObject({ code: 'timeout' });
  server?.closeAllConnections();
  server?.close();
  requests.length = 0;
  const store = await serve([stalling, ok('0123456789')], { http_config });
  expect(Buffer.from(await store.get(CALM, 'a')).toString()).toBe('0123456789');
  expect(requests).toHaveLength(2);
});

test('a range that is not the one asked for is an error, and shorter only at the end of the object', async () => {
  const whole = ok('0123456789');
  const store = await serve([
    part('45678', 4, 9),
    part('456', 4, 20),
    part('56789', 5, 20),
    part('45678901', 4, 20),
    whole,
    (response) => response.writeHead(206, { 'content-range': 'bytes 4-8/*' }).end('45678'),
    (response) => response.writeHead(206, { 'content-range': 'bytes 4-6/*' }).end('456'),
  ]);
  const read = async (length: number) => Buffer.from(await store.getRange(CALM, 'a', 4, length)).toString();
  expect(await read(7)).toBe('45678');
  for (const _ of ['shorter', 'later', 'longer', 'the whole object'])
    await expect(read(7)).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('7 bytes'),
    });
  expect(await read(5)).toBe('45678');
  await expect(read(5)).rejects.toMatchObject({ code: 'internal' });
  expect(requests).toHaveLength(7);
});

test('a body of unknown length is read to its end, and no further than wanted', async () => {
  const pieces: Answer = (response) => {
    response.writeHead(200).write('01234');
    setTimeout(() => response.end('56789'), 10);
  };
  const store = await serve([pieces]);
  expect(Buffer.from(await store.get(CALM, 'a')).toString()).toBe('0123456789');
  await expect(store.get(CALM, 'a', 9)).rejects.toMatchObject({ code: 'too_large' });
});

test('cancelling while it waits for the next try ends a call at once', async () => {
  const store = await serve([status(503)], { max_retries: 20 });
  const controller = new AbortController();
  const read = store.get(controller, 'a');
  await expect.poll(() => requests.length, { interval: 5 }).toBe(4);
  const begin = performance.now();
  controller.abort();
  await expect(read).rejects.toMatchObject({ code: 'canceled' });
  expect(performance.now() - begin).toBeLessThan(200);
  expect(requests).toHaveLength(4);
});

test('of two writers at once the one that the store sends away comes back, and is told when the other won', async () => {
  const busy = status(409, '<Error><Code>ConditionalRequestConflict</Code><Message>busy</Message></Error>');
  const won = status(412, '<Error><Code>PreconditionFailed</Code><Message>there</Message></Error>');
  const store = await serve([busy, status(200), busy, won, ok('theirs')]);
  await store.create(CALM, 'a', Buffer.from('ours'));
  await expect(store.create(CALM, 'a', Buffer.from('ours'))).rejects.toMatchObject({ code: 'conflict' });
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

/** An upload of two parts; `complete` answers one try to end it after the other, `head` what is there then. */
async function uploadTwoParts(complete: readonly Answer[], head: Answer, takeBack: readonly Answer[] = []) {
  const completions = [...complete];
  const abortions = [...takeBack];
  const answer: Answer = (response, request) => {
    const { method, url } = request;
    const next =
      method === 'POST' && url?.includes('uploadId')
        ? completions.shift()
        : method === 'HEAD'
          ? head
          : method === 'DELETE'
            ? (abortions.shift() ?? status(204))
            : undefined;
    if (next) return next(response, request);
    const begun = '<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>';
    if (method === 'POST') response.writeHead(200).end(begun);
    else response.writeHead(200, { etag: '"e"' }).end();
  };
  const store = await serve([answer], { part_size: 5 * 1024 * 1024 });
  return store.upload(CALM, 'large', new Uint8Array(6 * 1024 * 1024));
}
const completed = status(200, '<CompleteMultipartUploadResult/>');
const gone = status(404, '<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>');
const lost: Answer = (response) => response.destroy();
const there =
  (sizeBytes: number, etag: string): Answer =>
  (response) =>
    response.writeHead(200, { 'content-length': sizeBytes, etag }).end();
const methods = () => requests.map(({ method }) => method);

test('an upload that was completed without an answer is complete', async () => {
  await uploadTwoParts([lost, gone], there(6 * 1024 * 1024, '"abc-2"'));
  expect(methods()).not.toContain('DELETE');
});

test('an upload that is gone, and not as what was uploaded, has failed', async () => {
  const failed = uploadTwoParts([lost, gone], there(6 * 1024 * 1024, '"abc-1"'));
  await expect(failed).rejects.toMatchObject({ name: 'VeronaError' });
  expect(methods().at(-1)).toBe('DELETE');
});

test('a completion that says yes and means no is tried again', async () => {
  const meansNo = status(200, '<Error><Code>InternalError</Code><Message>later</Message></Error>');
  await uploadTwoParts([meansNo, completed], there(0, ''));
  expect(methods().filter((method) => method === 'POST')).toHaveLength(3);
});

test('taking an upload back is tried again, so that nothing of it stays', async () => {
  const failed = uploadTwoParts([denied], there(0, ''), [status(503), status(503)]);
  await expect(failed).rejects.toMatchObject({ code: 'internal' });
  expect(methods().filter((method) => method === 'DELETE')).toHaveLength(3);
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
