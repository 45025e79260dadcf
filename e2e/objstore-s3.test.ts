import dns from 'node:dns';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  CreateBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BlockCatalog } from '../src/blocks/block-catalog.ts';
import { Shipper } from '../src/blocks/shipper.ts';
import { Matcher } from '../src/model/matcher.ts';
import { acceptBucket, CALM, collect } from '../src/objstore/acceptance.ts';
import type { Bucket } from '../src/objstore/bucket.ts';
import { openBucket } from '../src/objstore/open-bucket.ts';
import type { S3Options } from '../src/objstore/s3-options.ts';
import { SystemClock } from '../src/platform/clock.ts';
import { silentLogger } from '../src/platform/log.ts';
import { Metrics } from '../src/platform/metrics.ts';
import { NodeDisk } from '../src/platform/node-disk.ts';
import { SystemRandom } from '../src/platform/random.ts';
import { StoreGateway } from '../src/store-gateway/store-gateway.ts';
import { type Radosgw, startRadosgw, type TemporaryCredentials } from './radosgw.ts';

const START_TIMEOUT_MS = 400_000;
const machine = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };
let server: Radosgw;
let client: S3Client;
let temporary: TemporaryCredentials;
let buckets = 0;

/** Names below `localhost` are this machine (RFC 6761); not every resolver knows. */
const lookup = dns.lookup;
const lookedUp = new Set<string>();
const lookupLocal = (name: string, ...rest: readonly unknown[]) => {
  lookedUp.add(name);
  const isLocal = name.endsWith('.localhost');
  return (lookup as (...args: readonly unknown[]) => void)(isLocal ? '127.0.0.1' : name, ...rest);
};

beforeAll(async () => {
  writeFileSync(keyFile, Buffer.alloc(32, 7));
  dns.lookup = lookupLocal as typeof dns.lookup;
  server = await startRadosgw();
  temporary = await server.temporaryCredentials();
  client = new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
  });
}, START_TIMEOUT_MS);

const keyFile = join(mkdtempSync(join(tmpdir(), 'verona-key-')), 'key');

afterAll(async () => {
  dns.lookup = lookup;
  rmSync(dirname(keyFile), { recursive: true, force: true });
  client?.destroy();
  await server?.stop();
});

async function newBucketName(): Promise<string> {
  const Bucket = `verona-${++buckets}`;
  await client.send(new CreateBucketCommand({ Bucket }));
  return Bucket;
}

function open(bucket: string, more: Partial<S3Options> = {}, prefix?: string): Promise<Bucket> {
  const config: S3Options = {
    bucket,
    endpoint: server.endpoint,
    access_key: server.accessKey,
    secret_key: server.secretKey,
    part_size: 5 * 1024 * 1024,
    ...more,
  };
  return openBucket({ type: 'S3', config, prefix }, machine);
}

acceptBucket("S3Bucket on Ceph's gateway", async () => open(await newBucketName()));
acceptBucket("S3Bucket below a prefix on Ceph's gateway", async () =>
  open(await newBucketName(), {}, 'a/prefix'),
);

acceptBucket(
  "S3Bucket on Ceph's gateway, encrypted with a key of its own, whole uploads with MD5, old listings",
  async () =>
    open(await newBucketName(), {
      sse_config: { type: 'SSE-C', encryption_key: keyFile },
      disable_multipart: true,
      send_content_md5: true,
      list_objects_version: 'v1',
    }),
);

/** As at Amazon: the bucket before the host, TLS, credentials of a role, a key that the store keeps. */
const asAtAmazon = (): Partial<S3Options> => ({
  endpoint: server.tlsEndpoint,
  bucket_lookup_type: 'virtual-hosted',
  access_key: temporary.accessKey,
  secret_key: temporary.secretKey,
  session_token: temporary.sessionToken,
  sse_config: { type: 'SSE-KMS', kms_key_id: server.kmsKeyId },
  http_config: { tls_config: { ca_file: server.caFile } },
});

acceptBucket(
  "S3Bucket on Ceph's gateway, named in the host, over TLS, for a role, encrypted by a key of the store",
  async () => open(await newBucketName(), asAtAmazon()),
);

test('the name of a bucket goes before the host, and what is written is under the key of the store', async () => {
  const name = await newBucketName();
  const bucket = await open(name, asAtAmazon());
  await bucket.upload(CALM, 'small', new Uint8Array(3));
  await bucket.upload(CALM, 'large', new Uint8Array(6 * 1024 * 1024));
  expect(lookedUp).toContain(`${name}.s3.localhost`);
  for (const Key of ['small', 'large'])
    expect(await client.send(new HeadObjectCommand({ Bucket: name, Key }))).toMatchObject({
      ServerSideEncryption: 'aws:kms',
      SSEKMSKeyId: server.kmsKeyId,
    });
  const keyless = await open(name, { ...asAtAmazon(), sse_config: { type: 'SSE-KMS', kms_key_id: 'other' } });
  await expect(keyless.upload(CALM, 'small', new Uint8Array(3))).rejects.toMatchObject({ code: 'internal' });
  await Promise.all([bucket.close(), keyless.close()]);
});

test.each([
  [
    'an authority that nobody named',
    {},
    /is not trusted: unable to verify the first certificate \(http_config\.tls_config/,
  ],
  [
    'another name than that of the server',
    { server_name: 'elsewhere.example' },
    /does not match certificate/,
  ],
])('a certificate of %s is refused at once and clearly', async (_what, tls, words) => {
  const ca_file = 'server_name' in tls ? server.caFile : undefined;
  const bucket = await open(await newBucketName(), {
    ...asAtAmazon(),
    http_config: { tls_config: { ...tls, ca_file } },
  });
  const begin = performance.now();
  const refused = await bucket.get(CALM, 'a').catch((error: Error) => error);
  expect(refused).toMatchObject({ code: 'internal', message: expect.stringMatching(words) });
  expect(performance.now() - begin).toBeLessThan(5_000);
  await bucket.close();
});

test('a certificate is not looked at by who says so', async () => {
  const http_config = { insecure_skip_verify: true };
  const bucket = await open(await newBucketName(), { ...asAtAmazon(), http_config });
  expect(await bucket.exists(CALM, 'a')).toBe(false);
  await bucket.close();
});

test.each([
  ['lack their token', { session_token: undefined }],
  ['have another token', { session_token: 'bm90IGEgdG9rZW4=' }],
  ['have another secret', { secret_key: 'not-the-secret' }],
])('temporary credentials that %s are refused, without secrets', async (_what, changed) => {
  const bucket = await open(await newBucketName(), { ...asAtAmazon(), ...changed });
  const refused = await bucket.get(CALM, 'a').catch((error: Error) => error);
  expect(refused).toMatchObject({ code: 'internal' });
  for (const secret of [temporary.secretKey, temporary.sessionToken, 'bm90IGEgdG9rZW4', 'not-the-secret'])
    expect(String(refused)).not.toContain(secret);
  await bucket.close();
});

test('an object under a key of its own is in parts too, and unreadable without the key', async () => {
  const name = await newBucketName();
  const bucket = await open(name, { sse_config: { type: 'SSE-C', encryption_key: keyFile } });
  const data = new Uint8Array(11 * 1024 * 1024).map((_, i) => i >> 7);
  await bucket.upload(CALM, 'large', data);
  expect(Buffer.compare(await bucket.get(CALM, 'large'), data)).toBe(0);
  const keyless = await open(name);
  await expect(keyless.get(CALM, 'large')).rejects.toMatchObject({ code: 'internal' });
  await Promise.all([bucket.close(), keyless.close()]);
});

test.each(['v1', 'v2'] as const)('a listing (%s) goes on beyond one page', async (list_objects_version) => {
  const bucket = await open(await newBucketName(), { list_objects_version });
  const keys = Array.from({ length: 1205 }, (_, i) => `t/${String(i).padStart(5, '0')}`);
  await Promise.all(keys.map((key) => bucket.upload(CALM, key, new Uint8Array(1))));
  expect((await collect(bucket.list(CALM, 't/', { recursive: true }))).map(({ key }) => key)).toEqual(keys);
  expect(await collect(bucket.list(CALM, ''))).toEqual([{ kind: 'folder', key: 't/' }]);
  await bucket.close();
});

test('a failed upload in parts leaves no parts behind', async () => {
  const name = await newBucketName();
  const bucket = await open(name);
  const broken = async function* () {
    for (let i = 0; i < 4; i++) yield new Uint8Array(4 * 1024 * 1024);
    throw new Error('the source broke');
  };
  await expect(bucket.upload(CALM, 'large', broken())).rejects.toThrow('the source broke');
  const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: name }));
  expect(Uploads ?? []).toEqual([]);
  await bucket.close();
});

test('blocks shipped to the server are listed and read back from it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'verona-s3-'));
  try {
    const testdata = join(import.meta.dirname, '../src/store-gateway/testdata');
    cpSync(testdata, join(dir, 'tsdb'), { recursive: true });
    const deps = {
      ...machine,
      bucket: await open(await newBucketName()),
      log: silentLogger,
      metrics: new Metrics(),
    };
    const shipper = await Shipper.open({ tenant: 'acme', dir: join(dir, 'tsdb') }, deps);
    expect(await shipper.sync(CALM)).toEqual({ uploaded: 2, failed: [] });
    expect(await shipper.sync(CALM)).toEqual({ uploaded: 0, failed: [] });
    const catalog = new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps);
    const { readable: blocks } = await catalog.refresh(CALM, 'acme');
    const gateway = new StoreGateway({ cacheDir: join(dir, 'cache') }, deps);
    const all = { matchers: [new Matcher('=~', '__name__', '.+')], mint: 0, maxt: 2e12, sorted: true };
    const querier = gateway.querier({ blocks, localUlids: new Set() }, all.mint, all.maxt);
    const batches = await collect(querier.select(CALM, all));
    expect(batches.reduce((count, { seriesCount }) => count + seriesCount, 0)).toBe(41);
    expect(batches.reduce((count, { chunkMint }) => count + chunkMint.length, 0)).toBe(80);
    await deps.bucket.close();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('refused credentials and a missing bucket are told apart from a missing object, without secrets', async () => {
  const wrong = await open(await newBucketName(), { secret_key: 'not-the-secret' });
  const refused = await wrong.get(CALM, 'a').catch((error: Error) => error);
  expect(refused).toMatchObject({ code: 'internal' });
  expect(String(refused)).not.toContain('not-the-secret');
  const missing = await open('verona-missing');
  await expect(missing.get(CALM, 'a')).rejects.toMatchObject({ code: 'internal' });
  await expect(missing.upload(CALM, 'a', new Uint8Array(1))).rejects.toMatchObject({ code: 'internal' });
  await Promise.all([wrong.close(), missing.close()]);
});
