import { createHash } from 'node:crypto';
import type { S3Client, ServerSideEncryption, StorageClass } from '@aws-sdk/client-s3';
import { VeronaError } from '../model/errors.ts';
import type { Disk } from '../platform/disk.ts';
import { httpAgent, httpsAgent } from '../platform/http-agents.ts';
import type { Random } from '../platform/random.ts';
import { RetryPolicy } from './retry.ts';
import { resolveS3, type S3Options, type S3Settings, type S3SseOptions } from './s3-options.ts';
import { readFile, readTls } from './tls.ts';

type Sdk = typeof import('@aws-sdk/client-s3');

interface PutParams {
  readonly ServerSideEncryption?: ServerSideEncryption;
  readonly SSEKMSKeyId?: string;
  readonly SSEKMSEncryptionContext?: string;
  readonly Metadata?: Record<string, string>;
  readonly StorageClass?: StorageClass;
}

/** A key of the caller's own; the store needs it to read as well. */
interface CustomerKey {
  readonly SSECustomerAlgorithm?: string;
  readonly SSECustomerKey?: string;
  readonly SSECustomerKeyMD5?: string;
}

/** A client ready to use, and what every request of it needs. */
export interface OpenS3 {
  readonly client: S3Client;
  readonly sdk: Sdk;
  readonly settings: S3Settings;
  readonly retry: RetryPolicy;
  /** Added to every write: encryption at rest and user metadata. */
  readonly putParams: PutParams;
  /** Added to every read and write of an object. */
  readonly customerKey: CustomerKey;
}

/** Loads the AWS library, which is large, only when a bucket is in S3. */
export async function openS3Client(
  options: S3Options,
  deps: { readonly disk: Disk; readonly random: Random },
): Promise<OpenS3> {
  const settings = resolveS3(options);
  const retry = new RetryPolicy(deps.random, settings.retriesMax);
  const tls = await readTls(options.http_config, deps.disk);
  const customerKey = await customerKeyOf(options.sse_config, deps.disk);
  const [sdk, { NodeHttpHandler }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('@smithy/node-http-handler'),
  ]);
  const maxSockets = settings.concurrencyMax;
  const client = new sdk.S3Client({
    endpoint: settings.endpoint,
    region: settings.region,
    forcePathStyle: settings.forcePathStyle,
    credentials: credentialsOf(options),
    // Tries are counted and waited for by the bucket, under the caller's signal.
    maxAttempts: 1,
    // Stores other than Amazon's do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Nobody waits for a store's leave to send a body.
    expectContinueHeader: false,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: settings.connectionTimeoutMs,
      requestTimeout: settings.responseTimeoutMs,
      socketTimeout: settings.responseTimeoutMs,
      throwOnRequestTimeout: true,
      // Made here: for a body of which it asks the store first the handler would take another agent, without these settings.
      httpAgent: httpAgent({ maxSockets }),
      httpsAgent: httpsAgent({ maxSockets, ...tls }),
    }),
  });
  return { client, sdk, settings, retry, putParams: putParamsOf(options), customerKey };
}

function credentialsOf({ access_key, secret_key, session_token }: S3Options) {
  if (!access_key || !secret_key) return undefined;
  return { accessKeyId: access_key, secretAccessKey: secret_key, sessionToken: session_token || undefined };
}

/** Thanos writes the storage class among the metadata, where it is no metadata. */
const STORAGE_CLASS = 'x-amz-storage-class';

function putParamsOf({ sse_config, put_user_metadata = {} }: S3Options): PutParams {
  const entries = Object.entries(put_user_metadata);
  const metadata = entries.filter(([name]) => name.toLowerCase() !== STORAGE_CLASS);
  const storageClass = entries.find(([name]) => name.toLowerCase() === STORAGE_CLASS)?.[1];
  return {
    ...(sse_config ? sseParams(sse_config) : {}),
    ...(metadata.length > 0 ? { Metadata: Object.fromEntries(metadata) } : {}),
    ...(storageClass ? { StorageClass: storageClass as StorageClass } : {}),
  };
}

function sseParams({ type, kms_key_id, kms_encryption_context }: S3SseOptions): PutParams {
  if (type === 'SSE-C') return {};
  if (type === 'SSE-S3') return { ServerSideEncryption: 'AES256' };
  const context =
    kms_encryption_context && Buffer.from(JSON.stringify(kms_encryption_context)).toString('base64');
  return {
    ServerSideEncryption: 'aws:kms',
    SSEKMSKeyId: kms_key_id || undefined,
    SSEKMSEncryptionContext: context,
  };
}

async function customerKeyOf(sse: S3SseOptions | undefined, disk: Disk): Promise<CustomerKey> {
  if (sse?.type !== 'SSE-C') return {};
  const key = await readFile(disk, sse.encryption_key ?? '');
  if (key.length !== CUSTOMER_KEY_BYTES)
    throw new VeronaError(
      'bad_data',
      `S3 bucket configuration: ${sse.encryption_key} has ${key.length} bytes, a key of SSE-C has ${CUSTOMER_KEY_BYTES}`,
    );
  return {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: key.toString('base64'),
    SSECustomerKeyMD5: createHash('md5').update(key).digest('base64'),
  };
}

const CUSTOMER_KEY_BYTES = 32;
