import type { Disk } from '../platform/disk.ts';
import { diskError } from './disk-error.ts';

/** `http_config` of an `objstore.yml`, by Thanos' names; durations in ms. */
export interface HttpOptions {
  readonly connection_timeout_ms?: number;
  /** Longest wait for the head of an answer, and for the next bytes of its body. */
  readonly response_header_timeout_ms?: number;
  readonly max_conns_per_host?: number;
  readonly insecure_skip_verify?: boolean;
  readonly tls_config?: TlsOptions;
}

export interface TlsOptions {
  readonly ca_file?: string;
  readonly cert_file?: string;
  readonly key_file?: string;
  readonly server_name?: string;
  readonly insecure_skip_verify?: boolean;
}

/** The options of a TLS agent, with the files read. Throws naming the file that cannot be. */
export async function readTls(http: HttpOptions | undefined, disk: Disk) {
  const tls = http?.tls_config ?? {};
  const read = async (path: string | undefined) => (path ? readFile(disk, path) : undefined);
  const skip = http?.insecure_skip_verify || tls.insecure_skip_verify;
  return {
    ca: await read(tls.ca_file),
    cert: await read(tls.cert_file),
    key: await read(tls.key_file),
    ...(tls.server_name ? { servername: tls.server_name } : {}),
    rejectUnauthorized: !skip,
  };
}

/** A file that the configuration names. */
export async function readFile(disk: Disk, path: string): Promise<Buffer> {
  try {
    return Buffer.from(await disk.readFile(path));
  } catch (error) {
    throw diskError(`bucket configuration: read ${path}`, error);
  }
}

const CERTIFICATE_CODES = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** What is wrong with the certificate of a store, and where that is set; undefined when the error is another one. */
export function certificateProblem(error: unknown): string | undefined {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  if (!CERTIFICATE_CODES.has(code ?? '')) return undefined;
  // Node adds how Node would be told.
  const [reason] = (message ?? '').split('; if the root CA');
  return `the store's certificate is not trusted: ${reason} (http_config.tls_config names ca_file and server_name)`;
}
