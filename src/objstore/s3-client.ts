import type { S3Client, ServerSideEncryption } from '@aws-sdk/client-s3';
import type { Disk } from '../platform/disk.ts';
import type { Random } from '../platform/random.ts';
import { diskError } from './disk-error.ts';
import {
  resolveS3,
  type S3Options,
  type S3Settings,
  type S3SseOptions,
  type S3TlsOptions,
} from './s3-options.ts';
import { S3Retry } from './s3-retry.ts';

type Sdk = typeof import('@aws-sdk/client-s3');

interface PutParams {
  readonly ServerSideEncryption?: ServerSideEncryption;
  readonly SSEKMSKeyId?: string;
  readonly SSEKMSEncryptionContext?: string;
  readonly Metadata?: Record<string, string>;
}

/** A client ready to use, and what every request of it needs. */
export interface OpenS3 {
  readonly client: S3Client;
  readonly sdk: Sdk;
  readonly settings: S3Settings;
  readonly retry: S3Retry;
  /** Added to every write: encryption at rest and user metadata. */
  readonly putParams: PutParams;
}

/** Loads the AWS library, which is large, only when a bucket is in S3. */
export async function openS3Client(
  options: S3Options,
  deps: { readonly disk: Disk; readonly random: Random },
): Promise<OpenS3> {
  const settings = resolveS3(options);
  const retry = new S3Retry(deps.random, settings.retriesMax);
  const tls = await readTls(options, deps.disk);
  const [sdk, { NodeHttpHandler }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('@smithy/node-http-handler'),
  ]);
  const sockets = { keepAlive: true, maxSockets: settings.concurrencyMax };
  const client = new sdk.S3Client({
    endpoint: settings.endpoint,
    region: settings.region,
    forcePathStyle: settings.forcePathStyle,
    credentials: credentialsOf(options),
    maxAttempts: settings.retriesMax + 1,
    retryStrategy: retry,
    // Stores other than Amazon's do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: new NodeHttpHandler({
      connectionTimeout: settings.connectionTimeoutMs,
      requestTimeout: settings.responseTimeoutMs,
      socketTimeout: settings.responseTimeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: sockets,
      httpsAgent: { ...sockets, ...tls },
    }),
  });
  return { client, sdk, settings, retry, putParams: putParamsOf(options) };
}

function credentialsOf({ access_key, secret_key, session_token }: S3Options) {
  if (!access_key || !secret_key) return undefined;
  return { accessKeyId: access_key, secretAccessKey: secret_key, sessionToken: session_token || undefined };
}

function putParamsOf({ sse_config, put_user_metadata }: S3Options): PutParams {
  const metadata =
    put_user_metadata && Object.keys(put_user_metadata).length > 0 ? { ...put_user_metadata } : undefined;
  return { ...(sse_config ? sseParams(sse_config) : {}), ...(metadata ? { Metadata: metadata } : {}) };
}

function sseParams({ type, kms_key_id, kms_encryption_context }: S3SseOptions): PutParams {
  if (type === 'SSE-S3') return { ServerSideEncryption: 'AES256' };
  const context =
    kms_encryption_context && Buffer.from(JSON.stringify(kms_encryption_context)).toString('base64');
  return {
    ServerSideEncryption: 'aws:kms',
    SSEKMSKeyId: kms_key_id || undefined,
    SSEKMSEncryptionContext: context,
  };
}

async function readTls({ http_config }: S3Options, disk: Disk) {
  const tls: S3TlsOptions = http_config?.tls_config ?? {};
  const read = async (path: string | undefined) => (path ? readFile(disk, path) : undefined);
  const skip = http_config?.insecure_skip_verify || tls.insecure_skip_verify;
  return {
    ca: await read(tls.ca_file),
    cert: await read(tls.cert_file),
    key: await read(tls.key_file),
    ...(tls.server_name ? { servername: tls.server_name } : {}),
    rejectUnauthorized: !skip,
  };
}

async function readFile(disk: Disk, path: string): Promise<Buffer> {
  try {
    return Buffer.from(await disk.readFile(path));
  } catch (error) {
    throw diskError(`S3 bucket configuration: read ${path}`, error);
  }
}
