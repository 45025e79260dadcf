import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { ClientCredentials } from '../storeapi/store-client.ts';

/** Paths of what a client shows to endpoints, as they travel to query threads; empty for none. */
export interface CredentialFiles {
  readonly tls: boolean;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly serverName: string;
  readonly tokenFile: string;
}

/** How often the files are looked at for a change, by calls only. */
const LOOK_INTERVAL_MS = 5_000;

export function credentialFilesOf({ endpoint }: Config): CredentialFiles {
  return {
    tls: endpoint.tls,
    caFile: endpoint.tls_ca_file,
    certFile: endpoint.tls_cert_file,
    keyFile: endpoint.tls_key_file,
    serverName: endpoint.tls_server_name,
    tokenFile: endpoint.bearer_token_file,
  };
}

/**
 * The credentials as the files have them, read again when one changed; files that do not read or fit are told once, and
 * the old credentials stay. Throws at first when they are not good. Files are small: they are read on this thread.
 */
export function watchCredentials(files: CredentialFiles, clock: Clock, log: Logger): () => ClientCredentials {
  const paths = [files.caFile, files.certFile, files.keyFile, files.tokenFile].filter((path) => path !== '');
  let seen = look(paths);
  let current = readCredentials(files);
  let lookedMs = clock.monotonic();
  return () => {
    if (paths.length === 0 || clock.monotonic() - lookedMs < LOOK_INTERVAL_MS) return current;
    lookedMs = clock.monotonic();
    const now = look(paths);
    if (now === seen) return current;
    seen = now;
    try {
      current = keepSame(current, readCredentials(files));
      log.info('credentials for endpoints were read again', { files: paths.join(', ') });
    } catch (error) {
      log.error('credentials for endpoints were not read again; the old ones stay', {
        error: (error as Error).message,
      });
    }
    return current;
  };
}

/** TLS texts that did not change stay the same object, so that connections stay. */
function keepSame(before: ClientCredentials, now: ClientCredentials): ClientCredentials {
  return JSON.stringify(before.tls) === JSON.stringify(now.tls) ? { ...now, tls: before.tls } : now;
}

function look(paths: readonly string[]): string {
  return paths
    .map((path) => statSync(path, { throwIfNoEntry: false }))
    .map((stat) => `${stat?.size} ${stat?.mtimeMs} ${stat?.ino}`)
    .join();
}

function readCredentials(files: CredentialFiles): ClientCredentials {
  const read = (file: string) => (file === '' ? undefined : readFileSync(file, 'utf8'));
  const tls = {
    ca: read(files.caFile),
    cert: read(files.certFile),
    key: read(files.keyFile),
    serverName: files.serverName || undefined,
  };
  if (files.tls) createSecureContext({ ca: tls.ca, cert: tls.cert, key: tls.key });
  return { tls: files.tls ? tls : undefined, bearerToken: read(files.tokenFile)?.trim() ?? '' };
}
