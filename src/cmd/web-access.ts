import { dirname } from 'node:path';
import { checkToken, loadWebFile, type WebFile } from '../config/web-file.ts';
import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import type { AccessRules } from '../server/access.ts';
import type { ListenerAccess } from '../server/http-server.ts';
import type { Service } from '../server/lifecycle.ts';
import { checkTls } from '../server/tls.ts';

/** How often the files are looked at for a change. */
const LOOK_INTERVAL_MS = 5_000;

/** Reads TLS and credentials anew; `files` are all that they came from. */
export type AccessReader = () => Promise<{
  readonly access: ListenerAccess;
  readonly files: readonly string[];
}>;

/** TLS and credentials of a listener out of files, read again when one of them changes. */
export class WebAccess implements Service {
  readonly name: string;
  readonly #read: AccessReader;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #log: Logger;
  #current: ListenerAccess;
  /** Paths read, with size and time. */
  #seen = '';
  #watched: readonly string[];
  #cancel: () => void = () => {};
  #stopped = false;
  #onChange: (access: ListenerAccess) => void = () => {};

  private constructor(
    name: string,
    reader: AccessReader,
    { access, files }: Awaited<ReturnType<AccessReader>>,
    deps: { readonly disk: Disk; readonly clock: Clock; readonly log: Logger },
  ) {
    this.name = name;
    this.#read = reader;
    this.#disk = deps.disk;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#current = access;
    this.#watched = files;
  }

  /** That of `web.config_file` and the files it names. Throws `bad_data` naming file, line and column. */
  static open(path: string, disk: Disk, clock: Clock, log: Logger): Promise<WebAccess> {
    return WebAccess.watch('web configuration', () => readAccess(path, disk), disk, clock, log);
  }

  /** What the reader gives, now and whenever its files change. Throws what the reader throws. */
  static async watch(
    name: string,
    reader: AccessReader,
    disk: Disk,
    clock: Clock,
    log: Logger,
  ): Promise<WebAccess> {
    return new WebAccess(name, reader, await reader(), { disk, clock, log });
  }

  get current(): ListenerAccess {
    return this.#current;
  }

  onChange(notify: (access: ListenerAccess) => void): void {
    this.#onChange = notify;
  }

  async start(): Promise<void> {
    this.#seen = await this.#look();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
  }

  #schedule(): void {
    if (this.#stopped || this.#watched.length === 0) return;
    this.#cancel = this.#clock.after(LOOK_INTERVAL_MS, () => {
      this.#lookAgain().finally(() => this.#schedule());
    });
  }

  /** A file that is not good leaves everything as it is, and is told once. */
  async #lookAgain(): Promise<void> {
    try {
      const seen = await this.#look();
      if (seen === this.#seen) return;
      this.#seen = seen;
      const { access, files } = await this.#read();
      if ((access.tls === undefined) !== (this.#current.tls === undefined))
        throw new VeronaError('bad_data', 'TLS is turned on or off at a start only');
      this.#watched = files;
      this.#current = access;
      this.#onChange(access);
      this.#log.info('TLS and credentials were read again and are in force', { files: files.join(', ') });
    } catch (error) {
      this.#log.error('TLS and credentials were not read again; the old ones stay', {
        file: this.#watched[0],
        error: (error as Error).message,
      });
    }
  }

  async #look(): Promise<string> {
    const stats = await Promise.all(this.#watched.map((path) => this.#disk.stat(path)));
    return JSON.stringify(stats.map((stat, i) => [this.#watched[i], stat?.sizeBytes, stat?.modifiedMs]));
  }
}

/** Throws `bad_data` naming what is wrong, never a secret. */
export async function readAccess(path: string, disk: Disk): ReturnType<AccessReader> {
  const files: string[] = [];
  const read = async (file: string): Promise<string> => {
    files.push(file);
    return fileText(file, disk);
  };
  const web = loadWebFile({ file: path, text: await read(path) }, dirname(path), process.env);
  const tls = await tlsOf(web, read);
  const rules = await rulesOf(web, read);
  return { access: { tls, rules, headers: web.http_server_config.headers }, files };
}

/** Throws `bad_data`. */
export async function fileText(file: string, disk: Disk): Promise<string> {
  try {
    return new TextDecoder().decode(await disk.readFile(file));
  } catch (error) {
    throw new VeronaError('bad_data', `read ${file}: ${(error as Error).message}`);
  }
}

async function tlsOf(
  { tls_server_config: settings }: WebFile,
  read: (file: string) => Promise<string>,
): Promise<ListenerAccess['tls']> {
  if (settings === undefined) return undefined;
  const tls = {
    cert: await read(settings.cert_file),
    key: await read(settings.key_file),
    clientCa: settings.client_ca_file === undefined ? undefined : await read(settings.client_ca_file),
    clientAuth: settings.client_auth_type,
    minVersion: settings.min_version,
  };
  checkTls(tls);
  return tls;
}

async function rulesOf(web: WebFile, read: (file: string) => Promise<string>): Promise<AccessRules> {
  const tokens: AccessRules['tokens'][number][] = [];
  for (const { token, token_file, tenants } of web.bearer_tokens)
    tokens.push({
      token: token ?? checkToken(await read(token_file as string), token_file as string),
      tenants,
    });
  const users = Object.entries(web.basic_auth_users).map(([name, hash]) => ({
    name,
    hash,
    tenants: web.basic_auth_tenants[name],
  }));
  return { users, tokens, openPaths: web.auth_excluded_paths };
}
