import { VeronaError } from '../model/errors.ts';
import type { HttpOptions } from './tls.ts';

/** `config` of an `objstore.yml` with `type: AZURE`, by Thanos' names; durations in ms. */
export interface AzureOptions {
  readonly storage_account: string;
  readonly container: string;
  readonly storage_account_key?: string;
  readonly storage_connection_string?: string;
  /** Make the container when it is not there. */
  readonly storage_create_container?: boolean;
  /** Host, or the whole address of the account. */
  readonly endpoint?: string;
  /** A managed identity that a user assigned. */
  readonly user_assigned_id?: string;
  readonly az_tenant_id?: string;
  readonly client_id?: string;
  readonly client_secret?: string;
  readonly max_retries?: number;
  readonly pipeline_config?: { readonly max_tries?: number; readonly try_timeout_ms?: number };
  readonly reader_config?: { readonly max_retry_requests?: number };
  readonly http_config?: HttpOptions;
}

/** Everything decided. */
export interface AzureSettings {
  /** `https://<account>.<endpoint>` */
  readonly url: string;
  readonly retriesMax: number;
  readonly concurrencyMax: number;
  readonly timeoutMs: number;
}

const ENDPOINT = 'blob.core.windows.net';
const RETRIES_DEFAULT = 5;
const CONNECTIONS_DEFAULT = 64;
const TIMEOUT_MS = 120_000;

/** Throws `bad_data` naming the setting that cannot be; never quotes a secret. */
export function resolveAzure(options: AzureOptions): AzureSettings {
  const fail = (text: string): never => {
    throw new VeronaError('bad_data', `Azure bucket configuration: ${text}`);
  };
  const {
    storage_account_key: key,
    storage_connection_string: connection,
    user_assigned_id: userId,
  } = options;
  if (!options.storage_account) fail('storage_account is empty');
  if (!options.container) fail('container is empty');
  if (key && connection) fail('storage_account_key and storage_connection_string exclude each other');
  if (userId && (key || connection || options.client_id))
    fail('user_assigned_id excludes storage_account_key, storage_connection_string and client_id');
  const application = [options.az_tenant_id, options.client_id, options.client_secret];
  if (application.some(Boolean) && !application.every(Boolean))
    fail('az_tenant_id, client_id and client_secret belong together');
  const endpoint = options.endpoint || ENDPOINT;
  const url = endpoint.includes('://') ? endpoint : `https://${options.storage_account}.${endpoint}`;
  if (!URL.canParse(url)) fail(`endpoint ${JSON.stringify(endpoint)} is no host`);
  return {
    url: url.replace(/\/+$/, ''),
    retriesMax: options.pipeline_config?.max_tries || options.max_retries || RETRIES_DEFAULT,
    concurrencyMax: options.http_config?.max_conns_per_host || CONNECTIONS_DEFAULT,
    timeoutMs:
      options.pipeline_config?.try_timeout_ms ||
      options.http_config?.response_header_timeout_ms ||
      TIMEOUT_MS,
  };
}
