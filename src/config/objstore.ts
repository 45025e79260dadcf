import { z } from 'zod';
import { parseDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import type { BucketOptions } from '../objstore/open-bucket.ts';
import { parseSize } from './units.ts';
import { parseYaml } from './yaml-file.ts';

/** A number of bytes, or Thanos' size text. */
const bytes = z.union([
  z.number().int().min(0),
  z
    .string()
    .transform((text, context) => parseSize(text) ?? refuse(context, `not a size: ${JSON.stringify(text)}`)),
]);

const durationMs = z
  .string()
  .transform(
    (text, context) => parseDuration(text) ?? refuse(context, `not a duration: ${JSON.stringify(text)}`),
  );

/** A setting of Thanos that only its default is accepted for. */
function unsupported<T extends boolean | string>(value: T, why: string) {
  return z.literal(value, { error: `is not supported: ${why}` });
}

function refuse(context: z.core.$RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}

const tlsConfig = z.strictObject({
  ca_file: z.string().optional(),
  cert_file: z.string().optional(),
  key_file: z.string().optional(),
  server_name: z.string().optional(),
  insecure_skip_verify: z.boolean().optional(),
});

/** Thanos' `http_config`; durations become ms. Settings of its Go transport that have no counterpart here are accepted. */
const httpConfig = z
  .strictObject({
    idle_conn_timeout: durationMs.optional(),
    response_header_timeout: durationMs.optional(),
    connection_timeout: durationMs.optional(),
    insecure_skip_verify: z.boolean().optional(),
    tls_handshake_timeout: durationMs.optional(),
    expect_continue_timeout: durationMs.optional(),
    max_idle_conns: z.number().int().optional(),
    max_idle_conns_per_host: z.number().int().optional(),
    max_conns_per_host: z.number().int().optional(),
    tls_config: tlsConfig.optional(),
    disable_compression: z.boolean().optional(),
  })
  .transform((config) => ({
    connection_timeout_ms: config.connection_timeout,
    response_header_timeout_ms: config.response_header_timeout,
    max_conns_per_host: config.max_conns_per_host || undefined,
    insecure_skip_verify: config.insecure_skip_verify,
    tls_config: config.tls_config,
  }));

const s3Config = z
  .strictObject({
    bucket: z.string().min(1),
    endpoint: z.string().min(1),
    region: z.string().optional(),
    access_key: z.string().optional(),
    secret_key: z.string().optional(),
    session_token: z.string().optional(),
    insecure: z.boolean().optional(),
    bucket_lookup_type: z.enum(['auto', 'virtual-hosted', 'path']).optional(),
    part_size: bytes.optional(),
    max_retries: z.number().int().min(0).optional(),
    sse_config: z
      .strictObject({
        type: z.enum(['', 'SSE-S3', 'SSE-KMS', 'SSE-C']),
        kms_key_id: z.string().optional(),
        kms_encryption_context: z.record(z.string(), z.string()).optional(),
        encryption_key: z.string().optional(),
      })
      .optional(),
    put_user_metadata: z.record(z.string(), z.string()).optional(),
    http_config: httpConfig.optional(),
    signature_version2: unsupported(false, 'requests are signed by version 4 only').optional(),
    sts_endpoint: unsupported('', 'set AWS_ENDPOINT_URL_STS in the environment instead').optional(),
    aws_sdk_auth: z.boolean().optional(),
    list_objects_version: z.enum(['', 'v1', 'v2']).optional(),
    disable_multipart: z.boolean().optional(),
    disable_dualstack: z.boolean().optional(),
    send_content_md5: z.boolean().optional(),
    trace: z.strictObject({ enable: z.boolean().optional() }).optional(),
  })
  .transform(({ signature_version2: _version2, sts_endpoint: _sts, trace: _trace, ...config }) => ({
    ...config,
    // Thanos writes the defaults out: nothing chosen.
    sse_config: config.sse_config?.type ? config.sse_config : undefined,
    max_retries: config.max_retries || undefined,
  }));

const gcsConfig = z
  .strictObject({
    bucket: z.string().min(1),
    service_account: z.string().optional(),
    use_grpc: z.boolean().optional(),
    grpc_conn_pool_size: z.number().int().optional(),
    http_config: httpConfig.optional(),
    chunk_size_bytes: bytes.optional(),
    max_retries: z.number().int().min(0).optional(),
  })
  .transform(({ use_grpc: _grpc, grpc_conn_pool_size: _pool, ...config }) => config);

const azureConfig = z
  .strictObject({
    storage_account: z.string().min(1),
    container: z.string().min(1),
    storage_account_key: z.string().optional(),
    storage_connection_string: z.string().optional(),
    storage_create_container: z.boolean().optional(),
    endpoint: z.string().optional(),
    user_assigned_id: z.string().optional(),
    az_tenant_id: z.string().optional(),
    client_id: z.string().optional(),
    client_secret: z.string().optional(),
    max_retries: z.number().int().min(0).optional(),
    msi_resource: z.string().optional(),
    azure_storage_account_type: z.enum(['', 'blob', 'datalake']).optional(),
    pipeline_config: z
      .strictObject({
        max_tries: z.number().int().min(0).optional(),
        try_timeout: durationMs.optional(),
        retry_delay: durationMs.optional(),
        max_retry_delay: durationMs.optional(),
      })
      .transform(({ max_tries, try_timeout }) => ({ max_tries, try_timeout_ms: try_timeout }))
      .optional(),
    reader_config: z.strictObject({ max_retry_requests: z.number().int().min(0).optional() }).optional(),
    http_config: httpConfig
      .refine(
        ({ tls_config = {}, insecure_skip_verify }) =>
          ![...Object.values(tls_config), insecure_skip_verify].some(Boolean),
        {
          message: 'TLS cannot be set up here; name your authority in NODE_EXTRA_CA_CERTS',
        },
      )
      .optional(),
  })
  .transform(({ msi_resource: _msi, azure_storage_account_type: _type, ...config }) => config);

const prefix = z.string().optional();
const objstoreSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('FILESYSTEM'),
    config: z.strictObject({ directory: z.string().min(1) }),
    prefix,
  }),
  z.strictObject({ type: z.literal('MEMORY'), config: z.strictObject({}).optional(), prefix }),
  z.strictObject({ type: z.literal('S3'), config: s3Config, prefix }),
  z.strictObject({ type: z.literal('GCS'), config: gcsConfig, prefix }),
  z.strictObject({ type: z.literal('AZURE'), config: azureConfig, prefix }),
]);

/** A bucket out of Thanos' `objstore.yml`; `$(NAME)` and `${NAME}` are taken from `environment`. Throws `bad_data` with file and line; the message holds no value of the file. */
export function loadBucketOptions(
  source: { readonly file: string; readonly text: string },
  environment: Readonly<Record<string, string | undefined>>,
): BucketOptions {
  const { values, positionOf } = parseYaml(source, environment, { inParentheses: true });
  const upper = values as { type?: unknown };
  if (typeof upper.type === 'string') upper.type = upper.type.toUpperCase();
  const parsed = objstoreSchema.safeParse(upper);
  if (parsed.success) return withEmulator(parsed.data as BucketOptions, environment.STORAGE_EMULATOR_HOST);
  const lines = parsed.error.issues.map((issue) => `${positionOf(issue)}: ${describeIssue(issue)}`);
  throw new VeronaError('bad_data', lines.join('\n'));
}

/** Google's own variable for a store that stands in for theirs. */
function withEmulator(options: BucketOptions, endpoint: string | undefined): BucketOptions {
  return options.type === 'GCS' && endpoint
    ? { ...options, config: { ...options.config, endpoint } }
    : options;
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const where = issue.path.join('.');
  if (issue.code === 'invalid_union') return 'type: must be S3, GCS, AZURE, FILESYSTEM or MEMORY';
  if (issue.code === 'unrecognized_keys')
    return `unknown key ${[where, issue.keys.join(', ')].filter(Boolean).join('.')}`;
  return `${where}: ${issue.message}`;
}
