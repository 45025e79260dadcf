import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unpackDebian, withDependencies } from './debian.ts';

const execute = promisify(execFile);
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes certificates with Debian's openssl, as PEM files in one folder. */
export class Certificates {
  readonly #folder: string;
  readonly #root: string;

  private constructor(folder: string, root: string) {
    this.#folder = folder;
    this.#root = root;
  }

  static async in(folder: string): Promise<Certificates> {
    return new Certificates(folder, await unpackDebian('curl', await withDependencies(['curl', 'openssl'])));
  }

  /** `NAME.crt` and `NAME.key` of a new authority. */
  async authority(name: string): Promise<void> {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
    await this.openssl('req', '-x509', ...KEY, ...files, '-subj', `/CN=${name}`, '-days', '2');
  }

  /** A new `NAME.crt` and `NAME.key` for localhost and `more` names, signed by an authority. */
  async issue(name: string, authority: string, more: readonly string[] = []): Promise<void> {
    await this.openssl(
      'req',
      ...KEY,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      '/CN=localhost',
    );
    const names = ['DNS:localhost', 'IP:127.0.0.1', ...more.map((host) => `DNS:${host}`)];
    await writeFile(join(this.#folder, 'names'), `subjectAltName=${names.join(',')}\n`);
    const by = ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`, '-CAcreateserial'];
    const signed = [...by, '-days', '2', '-extfile', 'names'];
    await this.openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...signed);
  }

  openssl(...args: string[]): Promise<unknown> {
    return this.run('openssl', args);
  }

  run(name: 'curl' | 'openssl', args: readonly string[]): Promise<{ stdout: string }> {
    const env = {
      ...process.env,
      LD_LIBRARY_PATH: join(this.#root, 'usr/lib/x86_64-linux-gnu'),
      OPENSSL_CONF: join(this.#root, 'etc/ssl/openssl.cnf'),
    };
    return execute(join(this.#root, 'usr/bin', name), args, { cwd: this.#folder, env });
  }
}
