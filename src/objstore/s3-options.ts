import { VeronaError } from '../model/errors.ts';

export type BucketLookupType = 'auto' | 'virtual-hosted' | 'path';

export interface S3SseOptions {
  readonly type: 'SSE-S3' | 'SSE-KMS';
  readonly kms_key_id?: string;
  readonly kms_encryption_context?: Readonly<Record<string, string>>;
}

export interface S3TlsOptions {
  readonly ca_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
  readonly server_name?: string;
  readonly insecure_skip_verify?: boolean;
}

export interface S3HttpOptions {
  readonly connection_timeout_ms?: number;
  /** Longest wait for the head of an answer, and for the next bytes of its body. */
  readonly response_header_timeout_ms?: number;
  readonly max_conns_per_host?: number;
  readonly insecure_skip_verify?: boolean;
  readonly tls_config?: S3TlsOptions;
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
  readonly http_config?: S3HttpOptions;
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
