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
  ['type: FTP\nconfig: {}\n', 'bucket.yml:1:7: type: must be S3, GCS, AZURE, FILESYSTEM or MEMORY'],
  ['type: S3\nconfig: {bucket: a}\n', 'config.endpoint'],
  [
    'type: S3\nconfig:\n  bucket: a\n  endpoint: b\n  signature_version2: true\n',
    'bucket.yml:5:23: config.signature_version2: is not supported',
  ],
  ['type: GCS\nconfig:\n  bucket: a\n  acount: b\n', 'bucket.yml:4:3: unknown key config.acount'],
  [
    'type: AZURE\nconfig: {storage_account: a, container: b, http_config: {tls_config: {ca_file: x}}}\n',
    'NODE_EXTRA_CA_CERTS',
  ],
  [
    'type: AZURE\nconfig:\n  storage_account: a\n  container: b\nprefx: c\n',
    'bucket.yml:5:1: unknown key prefx',
  ],
])('%j is refused with its line', (text, words) => {
  expect(() => load(text)).toThrow(words);
});

test('a refusal repeats no secret', () => {
  expect(() => load('type: S3\nconfig: {bucket: a, endpoint: b, secret_key: [hunter2]}\n')).toThrow(
    /^(?![\s\S]*hunter2)/,
  );
});

test('every key of Thanos’ documentation is accepted for S3', () => {
  const text = `type: S3
config:
  bucket: ""
  endpoint: ""
  region: ""
  disable_dualstack: false
  aws_sdk_auth: false
  access_key: ""
  insecure: false
  signature_version2: false
  secret_key: ""
  session_token: ""
  put_user_metadata: {}
  http_config:
    idle_conn_timeout: 1m30s
    response_header_timeout: 2m
    insecure_skip_verify: false
    tls_handshake_timeout: 10s
    expect_continue_timeout: 1s
    max_idle_conns: 100
    max_idle_conns_per_host: 100
    max_conns_per_host: 0
    tls_config: {ca_file: "", cert_file: "", key_file: "", server_name: "", insecure_skip_verify: false}
    disable_compression: false
  trace: {enable: false}
  list_objects_version: ""
  bucket_lookup_type: auto
  send_content_md5: true
  disable_multipart: false
  part_size: 67108864
  sse_config: {type: "", kms_key_id: "", kms_encryption_context: {}, encryption_key: ""}
  sts_endpoint: ""
  max_retries: 0
prefix: ""
`;
  const filled = text.replace('bucket: ""', 'bucket: b').replace('endpoint: ""', 'endpoint: e');
  expect(load(filled)).toMatchObject({
    type: 'S3',
    config: { part_size: 67_108_864, send_content_md5: true },
  });
});

test('GCS and Azure are read as Thanos has them, names of the environment in parentheses too', () => {
  const gcs =
    'type: GCS\nconfig:\n  bucket: b\n  service_account: $(ACCOUNT)\n  use_grpc: false\n  chunk_size_bytes: 1MiB\n';
  expect(load(gcs, { ACCOUNT: '{}', STORAGE_EMULATOR_HOST: 'localhost:1' })).toEqual({
    type: 'GCS',
    config: { bucket: 'b', service_account: '{}', chunk_size_bytes: 1_048_576, endpoint: 'localhost:1' },
  });
  const azure = `type: AZURE
config:
  storage_account: a
  storage_account_key: \${KEY}
  container: c
  endpoint: ""
  pipeline_config: {max_tries: 3, try_timeout: 10s, retry_delay: 0s, max_retry_delay: 0s}
  reader_config: {max_retry_requests: 0}
  msi_resource: ""
`;
  expect(load(azure, { KEY: 'k' })).toMatchObject({
    config: { storage_account_key: 'k', pipeline_config: { max_tries: 3, try_timeout_ms: 10_000 } },
  });
  expect(() => load(gcs)).toThrow('bucket.yml:4:20: the environment has no ACCOUNT');
});
