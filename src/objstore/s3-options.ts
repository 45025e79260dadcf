import { VeronaError } from '../model/errors.ts';
import type { HttpOptions } from './tls.ts';

export type BucketLookupType = 'auto' | 'virtual-hosted' | 'path';

export interface S3SseOptions {
  readonly type: 'SSE-S3' | 'SSE-KMS' | 'SSE-C';
  readonly kms_key_id?: string;
  readonly kms_encryption_context?: Readonly<Record<string, string>>;
  /** SSE-C: a file with the 32 bytes of the key. */
  readonly encryption_key?: string;
}

/** `config` of an `objstore.yml` with `type: S3`, by Thanos' names; durations in ms. */
export interface S3Options {
  readonly bucket: string;
  /** Host and port, with or without `http(s)://`. */
  readonly endpoint: string;
  /** From the endpoint when it is Amazon's, else `us-east-1`. */
  readonly region?: string;
  /** Without an access key credentials come from the environment, as every AWS program finds them. */
  readonly access_key?: string;
  readonly secret_key?: string;
  readonly session_token?: string;
  /** Plain http. */
  readonly insecure?: boolean;
  /** `auto`: virtual-hosted for Amazon, path for everybody else. */
  readonly bucket_lookup_type?: BucketLookupType;
  /** Larger uploads go in parts of this size, at least 5 MiB. */
  readonly part_size?: number;
  readonly max_retries?: number;
  readonly sse_config?: S3SseOptions;
  readonly put_user_metadata?: Readonly<Record<string, string>>;
  readonly http_config?: HttpOptions;
  /** `v1` for stores that know no other. */
  readonly list_objects_version?: '' | 'v1' | 'v2';
  /** Each upload is one request, and in memory as a whole. */
  readonly disable_multipart?: boolean;
  readonly disable_dualstack?: boolean;
  /** Send an MD5 with each upload, as buckets with object lock demand. */
  readonly send_content_md5?: boolean;
  /** Credentials from the environment only; not together with `access_key`. */
  readonly aws_sdk_auth?: boolean;
}

/** Everything decided, nothing optional that has a default. */
export interface S3Settings {
  readonly bucket: string;
  readonly endpoint: string;
  readonly region: string;
  readonly forcePathStyle: boolean;
  readonly partSizeBytes: number;
  readonly retriesMax: number;
  readonly concurrencyMax: number;
  readonly connectionTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly listVersion: 1 | 2;
  readonly sendMd5: boolean;
  readonly multipart: boolean;
}

const PART_SIZE_MIN = 5 * 1024 * 1024;
const PART_SIZE_DEFAULT = 16 * 1024 * 1024;
const RETRIES_DEFAULT = 5;
const RETRIES_MAX = 20;
const CONNECTIONS_DEFAULT = 64;
const CONNECTION_TIMEOUT_MS = 10_000;
const RESPONSE_TIMEOUT_MS = 120_000;

/** Throws `bad_data` naming the setting that cannot be; never quotes a secret. */
export function resolveS3(options: S3Options): S3Settings {
  const fail = (text: string): never => {
    throw new VeronaError('bad_data', `S3 bucket configuration: ${text}`);
  };
  if (!options.bucket) fail('bucket is empty');
  if (!options.endpoint) fail('endpoint is empty');
  if (!options.access_key !== !options.secret_key) fail('access_key and secret_key belong together');
  if (options.aws_sdk_auth && options.access_key) fail('aws_sdk_auth and access_key exclude each other');
  const { type, kms_key_id, encryption_key } = options.sse_config ?? {};
  if (type === 'SSE-KMS' && !kms_key_id) fail('sse_config: SSE-KMS needs kms_key_id');
  if (type === 'SSE-C' && !encryption_key) fail('sse_config: SSE-C needs encryption_key, the path of a file');
  const endpoint = endpointUrl(options) ?? fail(`endpoint ${JSON.stringify(options.endpoint)} is no host`);
  const partSizeBytes = options.part_size || PART_SIZE_DEFAULT;
  if (partSizeBytes < PART_SIZE_MIN) fail(`part_size ${partSizeBytes} is less than ${PART_SIZE_MIN}`);
  const retriesMax = options.max_retries ?? RETRIES_DEFAULT;
  if (!(retriesMax >= 0 && retriesMax <= RETRIES_MAX))
    fail(`max_retries ${retriesMax} is not in 0 … ${RETRIES_MAX}`);
  const http = options.http_config ?? {};
  return {
    bucket: options.bucket,
    endpoint: endpoint.origin,
    region: options.region || regionOf(endpoint.hostname) || 'us-east-1',
    forcePathStyle: isPathStyle(options.bucket_lookup_type ?? 'auto', endpoint.hostname),
    partSizeBytes,
    retriesMax,
    concurrencyMax: http.max_conns_per_host || CONNECTIONS_DEFAULT,
    connectionTimeoutMs: http.connection_timeout_ms || CONNECTION_TIMEOUT_MS,
    responseTimeoutMs: http.response_header_timeout_ms || RESPONSE_TIMEOUT_MS,
    listVersion: options.list_objects_version === 'v1' ? 1 : 2,
    sendMd5: options.send_content_md5 ?? false,
    multipart: !options.disable_multipart,
  };
}

function endpointUrl({ endpoint, insecure }: S3Options): URL | undefined {
  const text = endpoint.includes('://') ? endpoint : `${insecure ? 'http' : 'https'}://${endpoint}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const plain =
    (url.protocol === 'http:' || url.protocol === 'https:') && url.pathname === '/' && url.username === '';
  return plain && url.search === '' ? url : undefined;
}

function regionOf(hostname: string): string | undefined {
  return /^s3[.-](?:dualstack\.)?([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/.exec(hostname)?.[1];
}

function isPathStyle(lookup: BucketLookupType, hostname: string): boolean {
  if (lookup !== 'auto') return lookup === 'path';
  return !/(^|\.)amazonaws\.com(\.cn)?$/.test(hostname);
}
