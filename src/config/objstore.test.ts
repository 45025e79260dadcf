import { expect, test } from 'vitest';
import { loadBucketOptions } from './objstore.ts';

const load = (text: string, environment = {}) => loadBucketOptions({ file: 'bucket.yml', text }, environment);

test('Thanos’ S3 configuration is read as it stands', () => {
  const text = `type: S3
config:
  bucket: metrics
  endpoint: s3.example.com
  access_key: \${KEY}
  insecure: false
  part_size: 16MiB
  http_config: {idle_conn_timeout: 1m30s, response_header_timeout: 2m, insecure_skip_verify: false}
prefix: team
`;
  expect(load(text, { KEY: 'AK' })).toMatchObject({
    type: 'S3',
    prefix: 'team',
    config: {
      bucket: 'metrics',
      access_key: 'AK',
      part_size: 16_777_216,
      http_config: { response_header_timeout_ms: 120_000 },
    },
  });
});

test('the type may be written in any case', () => {
  expect(load('type: filesystem\nconfig: {directory: /x}\n')).toEqual({
    type: 'FILESYSTEM',
    config: { directory: '/x' },
  });
});

test.each([
  ['type: S3\nconfig:\n  bucket: a\n  endpiont: b\n', 'bucket.yml:4:3: unknown key config.endpiont'],
  ['type: FTP\nconfig: {}\n', 'bucket.yml:1:7: type: must be S3, FILESYSTEM or MEMORY'],
  ['type: S3\nconfig: {bucket: a}\n', 'config.endpoint'],
])('%j is refused with its line', (text, words) => {
  expect(() => load(text)).toThrow(words);
});

test('a refusal repeats no secret', () => {
  expect(() => load('type: S3\nconfig: {bucket: a, endpoint: b, secret_key: [hunter2]}\n')).toThrow(
    /^(?![\s\S]*hunter2)/,
  );
});
