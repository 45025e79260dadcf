import { expect, test } from 'vitest';
import { SeededRandom } from '../platform/random.ts';
import { RetryPolicy } from './retry.ts';
import { resolveS3, type S3Options } from './s3-options.ts';
import { isRetryable, S3Retry } from './s3-retry.ts';

const base: S3Options = {
  bucket: 'b',
  endpoint: 's3.eu-west-1.amazonaws.com',
  access_key: 'AK',
  secret_key: 'HUSH',
};

test('the endpoint decides scheme, region and style unless they are given', () => {
  expect(resolveS3(base)).toMatchObject({
    endpoint: 'https://s3.eu-west-1.amazonaws.com',
    region: 'eu-west-1',
    forcePathStyle: false,
  });
  expect(resolveS3({ ...base, endpoint: 'minio:9000', insecure: true })).toMatchObject({
    endpoint: 'http://minio:9000',
    region: 'us-east-1',
    forcePathStyle: true,
  });
  expect(resolveS3({ ...base, endpoint: 'http://127.0.0.1:9000/', region: 'x' })).toMatchObject({
    endpoint: 'http://127.0.0.1:9000',
    region: 'x',
  });
  expect(resolveS3({ ...base, bucket_lookup_type: 'path' }).forcePathStyle).toBe(true);
  expect(resolveS3({ ...base, endpoint: 'minio', bucket_lookup_type: 'virtual-hosted' }).forcePathStyle).toBe(
    false,
  );
});

test.each([
  [{ bucket: '' }, 'bucket is empty'],
  [{ endpoint: '' }, 'endpoint is empty'],
  [{ endpoint: 'ftp://x' }, 'is no host'],
  [{ endpoint: 'http://u:p@x' }, 'is no host'],
  [{ endpoint: 'x/path' }, 'is no host'],
  [{ secret_key: '' }, 'belong together'],
  [{ part_size: 1024 }, 'part_size'],
  [{ max_retries: 1000 }, 'max_retries'],
  [{ sse_config: { type: 'SSE-C' as const } }, 'SSE-C needs encryption_key'],
  [{ sse_config: { type: 'SSE-KMS' as const } }, 'SSE-KMS needs kms_key_id'],
  [{ aws_sdk_auth: true }, 'exclude each other'],
])('%j is refused: %s', (change, message) => {
  const attempt = () => resolveS3({ ...base, ...change });
  expect(attempt).toThrow(expect.objectContaining({ code: 'bad_data' }));
  expect(attempt).toThrow(message);
  expect(attempt).not.toThrow('HUSH');
});

test('server errors, requests to wait and broken connections are tried again, other answers never', () => {
  const answered = (httpStatusCode: number) =>
    Object.assign(new Error('x'), { $metadata: { httpStatusCode } });
  expect([408, 429, 500, 502, 503, 504].every((status) => isRetryable(answered(status)))).toBe(true);
  expect([400, 401, 403, 404, 409, 412, 416].some((status) => isRetryable(answered(status)))).toBe(false);
  expect(isRetryable(Object.assign(new Error('x'), { code: 'ECONNRESET' }))).toBe(true);
  expect(isRetryable(Object.assign(new Error('x'), { name: 'TimeoutError' }))).toBe(true);
  expect(isRetryable(Object.assign(new Error('x'), { name: 'AbortError' }))).toBe(false);
  expect(isRetryable(new TypeError('a mistake of ours'))).toBe(false);
});

test('tries are bounded in number and delay', async () => {
  const policy = new RetryPolicy(new SeededRandom(1), 3);
  const retry = new S3Retry(policy);
  const error = Object.assign(new Error('x'), { $metadata: { httpStatusCode: 500 } });
  let token = await retry.acquireInitialRetryToken();
  for (let i = 1; i <= 3; i++) {
    token = await retry.refreshRetryTokenForRetry(token, { error });
    expect(token.getRetryCount()).toBe(i);
    expect(token.getRetryDelay()).toBeGreaterThanOrEqual(50 * 2 ** (i - 1));
    expect(token.getRetryDelay()).toBeLessThanOrEqual(100 * 2 ** (i - 1));
  }
  await expect(retry.refreshRetryTokenForRetry(token, { error })).rejects.toBe(error);
  expect(policy.delayMs(40)).toBeLessThanOrEqual(10_000);
});

test('all requests together have a budget of tries, which answers fill again', () => {
  const policy = new RetryPolicy(new SeededRandom(1), 5);
  let taken = 0;
  while (policy.take(1)) taken++;
  expect(taken).toBe(100);
  for (let i = 0; i < 25; i++) policy.succeeded();
  expect([policy.take(1), policy.take(1), policy.take(1)]).toEqual([true, true, false]);
});
