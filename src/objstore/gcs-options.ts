import type { HttpOptions } from './tls.ts';

/** `config` of an `objstore.yml` with `type: GCS`, by Thanos' names. */
export interface GcsOptions {
  readonly bucket: string;
  /** A service account's JSON. Without it credentials come from the environment, as every Google program finds them. */
  readonly service_account?: string;
  /** Large uploads go in pieces of this size, a multiple of 256 KiB. */
  readonly chunk_size_bytes?: number;
  readonly max_retries?: number;
  readonly http_config?: HttpOptions;
  /** Instead of Google's; then no credentials are sent. From `STORAGE_EMULATOR_HOST`. */
  readonly endpoint?: string;
}
