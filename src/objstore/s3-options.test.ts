import { expect, test } from 'vitest';
import { isRetryable } from './s3-error.ts';
import { resolveS3, type S3Options } from './s3-options.ts';

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
  expect([400, 401, 403, 404, 409, 412, 416, 501].some((status) => isRetryable(answered(status)))).toBe(
    false,
  );
  expect(isRetryable(Object.assign(new Error('x'), { code: 'ECONNRESET' }))).toBe(true);
  expect(isRetryable(Object.assign(new Error('x'), { name: 'TimeoutError' }))).toBe(true);
  expect(isRetryable(Object.assign(new Error('x'), { name: 'AbortError' }))).toBe(false);
  const named = (name: string, status: number) => Object.assign(answered(status), { name });
  expect(isRetryable(named('RequestTimeout', 400))).toBe(true);
  expect(isRetryable(named('RequestTimeTooSkewed', 403))).toBe(true);
  expect(isRetryable(named('ConditionalRequestConflict', 409))).toBe(true);
  expect(isRetryable(new TypeError('a mistake of ours'))).toBe(false);
});
