import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { Agent, type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SystemClock } from '../src/platform/clock.ts';
import { silentLogger } from '../src/platform/log.ts';
import { Metrics } from '../src/platform/metrics.ts';
import { noTracer } from '../src/platform/trace.ts';
import { HttpServer, OPEN_ACCESS } from '../src/server/http-server.ts';
import { Certificates } from './certificates.ts';
import { launchVerona, startPrometheus } from './peers.ts';
import { freePort, type RealProcess } from './process.ts';

/** The listener behind TLS and credentials, met by curl, by Node and by a real Prometheus. */
const PASSWORD = 'open-sesame-of-alice';
const TOKEN = 'token-of-globex-0123456789';

let folder: string;
let certificates: Certificates;
let port: number;
let verona: RealProcess;
const started: RealProcess[] = [];

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  certificates = await Certificates.in(folder);
  await makeCertificates();
  await writeWebFile({ alice: PASSWORD });
  port = await freePort();
  verona = launchVerona(
    join(folder, 'data'),
    [
      `--web.config.file=${join(folder, 'web.yml')}`,
      '--self-metrics.enabled=false',
      '--http.enable-admin-api',
    ],
    port,
  );
  started.push(verona);
  await until(async () => (await curl('/-/ready', '-u', `alice:${PASSWORD}`)).startsWith('200'), verona);
});

afterAll(async () => {
  await Promise.all(started.map((process) => process.stop('SIGKILL')));
  await rm(folder, { recursive: true, force: true });
});

test('curl comes in with the right password or token over TLS only', async () => {
  const query = '/api/v1/query?query=vector(1)';
  expect(await curl(query)).toMatch(/^401/);
  expect(await curl(query, '-u', 'alice:wrong')).toMatch(/^401/);
  expect(await curl(query, '-u', `alice:${PASSWORD}`)).toMatch(/^200.*success/);
  expect(await curl(query, '-H', `Authorization: Bearer ${TOKEN}`)).toMatch(/^200.*success/);
  expect(await curl('/-/healthy')).toMatch(/^200/);
  await expect(certificates.run('curl', ['-sS', `http://127.0.0.1:${port}/-/healthy`])).rejects.toThrow();
  await expect(certificates.run('curl', ['-sS', `https://localhost:${port}/-/healthy`])).rejects.toThrow(
    /certificate/i,
  );
  await expect(
    certificates.run('curl', [
      '-sS',
      '--tls-max',
      '1.2',
      '--cacert',
      join(folder, 'ca.crt'),
      `https://localhost:${port}/-/healthy`,
    ]),
  ).rejects.toThrow();
  const { headers } = await ask('/-/healthy');
  expect(headers['x-frame-options']).toBe('deny');
  expect((await ask(query)).headers['www-authenticate']).toBe('Basic realm="Verona", Bearer');
});

test('a token is good for its tenant only, and names it, also on the way that writes take', async () => {
  const as = (path: string, method: string, tenant?: string) =>
    ask(path, {
      method,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(tenant !== undefined && { 'x-scope-orgid': tenant }),
      },
    });
  for (const [path, method, good] of [
    ['/api/v1/labels', 'GET', 200],
    ['/api/v1/push', 'POST', 400],
  ] as const) {
    const tenants = [undefined, 'globex', 'acme'];
    const met = await Promise.all(tenants.map((tenant) => as(path, method, tenant)));
    expect(met.map(({ status }) => status)).toEqual([good, good, 403]);
  }
});

test('a body without credentials is refused before it is sent', async () => {
  const { status } = await new Promise<{ status: number }>((resolve, reject) => {
    const sent = request(`https://localhost:${port}/api/v1/push`, {
      method: 'POST',
      agent: agent(),
      headers: { 'content-length': 50_000_000, expect: '100-continue' },
    });
    sent.on('response', (response) => resolve({ status: response.statusCode ?? 0 }));
    sent.on('error', reject);
    sent.flushHeaders();
  });
  expect(status).toBe(401);
});

test('a real Prometheus writes through TLS and a password', async () => {
  const prometheus = await startPrometheus(
    join(folder, 'prometheus'),
    `
global: {scrape_interval: 1s, external_labels: {from: prometheus}}
scrape_configs:
  - {job_name: self, static_configs: [{targets: ['127.0.0.1:${await freePort()}']}]}
remote_write:
  - url: https://localhost:${port}/api/v1/push
    basic_auth: {username: alice, password: ${PASSWORD}}
    tls_config: {ca_file: ${join(folder, 'ca.crt')}, min_version: TLS13}
    queue_config: {batch_send_deadline: 1s}
`,
  );
  started.push(prometheus.process);
  const found = async () =>
    (await curl('/api/v1/query?query=up', '-u', `alice:${PASSWORD}`)).includes('prometheus');
  await until(found, verona);
});

test('users and certificates that change are in force soon, a broken file is not', async () => {
  const before = await serial();
  await makeCertificates();
  await writeWebFile({ bob: 'another-password' });
  await until(async () => (await curl('/-/ready', '-u', 'bob:another-password')).startsWith('200'), verona);
  expect(await curl('/-/ready', '-u', `alice:${PASSWORD}`)).toMatch(/^401/);
  expect(await serial()).not.toBe(before);
  await writeFile(join(folder, 'web.yml'), 'basic_auth_users: {bob: not-a-hash}\n');
  await until(async () => verona.output.includes('the old ones stay'), verona);
  expect(verona.output).toContain('basic_auth_users.bob: is no bcrypt hash');
  expect(await curl('/-/ready', '-u', 'bob:another-password')).toMatch(/^200/);
});

test('no secret is in the log or in what the API says of the configuration', async () => {
  const said = await Promise.all(
    ['/api/v1/status/config', '/api/v1/status/flags', '/metrics'].map((path) =>
      curl(path, '-u', 'bob:another-password'),
    ),
  );
  const hash = /\$2b\$\S+/.exec(await readFile(join(folder, 'web.yml.old'), 'utf8'))?.[0] as string;
  expect(hash).toHaveLength(60);
  for (const text of [...said, verona.output]) {
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain(hash);
    expect(text).not.toMatch(/sesame|another-password|PRIVATE KEY/);
  }
  expect(said.join()).toContain('web.yml');
  expect(verona.output).not.toContain('without TLS or credentials');
});

test.each([
  ['NoClientCert', ['in', 'in', 'in']],
  ['RequestClientCert', ['in', 'in', 'in']],
  ['RequireAnyClientCert', ['out', 'in', 'in']],
  ['VerifyClientCertIfGiven', ['in', 'in', 'out']],
  ['RequireAndVerifyClientCert', ['out', 'in', 'out']],
] as const)(
  'with %s clients without a certificate, with a good and with a foreign one are %j',
  async (clientAuth, expected) => {
    const file = (name: string) => readFile(join(folder, name), 'utf8');
    const [ca, cert, key] = await Promise.all(['ca.crt', 'verona.crt', 'verona.key'].map(file));
    const tls = { cert, key, clientCa: ca, clientAuth, minVersion: 'TLS12' } as const;
    const server = new HttpServer(
      {
        clock: new SystemClock(),
        host: '127.0.0.1',
        port: 0,
        allowsOrigin: undefined,
        requestTimeoutMs: 5_000,
        connectionsMax: 10,
        bodyBytesMax: 1_000_000,
        access: { ...OPEN_ACCESS, tls },
        tracer: noTracer,
        tenantOf: () => 'a',
        isReady: () => true,
      },
      [],
      silentLogger,
      new Metrics(),
    );
    const listening = await server.listen();
    const shown = [{}, { cert, key }, { cert: await file('stranger.crt'), key: await file('stranger.key') }];
    const met = [];
    for (const own of shown)
      met.push(
        await new Promise<string>((resolve) => {
          const url = `https://127.0.0.1:${listening.port}/-/healthy`;
          const sent = request(url, { ca, ...own, agent: new Agent() }, (response) => {
            response.resume();
            resolve('in');
          });
          sent.on('error', () => resolve('out'));
          sent.end();
        }),
      );
    await server.close(100);
    expect(met).toEqual(expected);
  },
);

/** Replaced as a whole, so that no half of it is ever read; the one before stays as `web.yml.old`. */
async function writeWebFile(users: Readonly<Record<string, string>>): Promise<void> {
  const hashed = Object.entries(users).map(
    ([name, password]) => `  ${name}: ${bcrypt.hashSync(password, 5)}`,
  );
  const text = [
    'tls_server_config: {cert_file: verona.crt, key_file: verona.key, min_version: TLS13}',
    'http_server_config: {headers: {X-Frame-Options: deny}}',
    'basic_auth_users:',
    ...hashed,
    `bearer_tokens: [{token: ${TOKEN}, tenants: [globex]}]`,
    'auth_excluded_paths: [/-/healthy]',
  ].join('\n');
  for (const name of ['web.yml.old', 'web.yml']) {
    await writeFile(join(folder, `${name}.new`), text);
    await rename(join(folder, `${name}.new`), join(folder, name));
  }
}

/** One authority and one stranger, kept; a new certificate each time. */
async function makeCertificates(): Promise<void> {
  if ((await readFile(join(folder, 'ca.crt')).catch(() => undefined)) === undefined)
    for (const name of ['ca', 'stranger']) await certificates.authority(name);
  await certificates.issue('verona', 'ca');
}

/** Status and body of what curl gets. */
async function curl(path: string, ...more: string[]): Promise<string> {
  const args = ['-sS', '--cacert', join(folder, 'ca.crt'), '-w', '\n%{http_code}', ...more];
  const { stdout } = await certificates
    .run('curl', [...args, `https://localhost:${port}${path}`])
    .catch(() => ({
      stdout: '\n000',
    }));
  const at = stdout.lastIndexOf('\n');
  return `${stdout.slice(at + 1)} ${stdout.slice(0, at)}`;
}

function agent(): Agent {
  return new Agent({ ca: [], checkServerIdentity: () => undefined, rejectUnauthorized: false });
}

async function ask(path: string, more: RequestOptions = {}) {
  const ca = await readFile(join(folder, 'ca.crt'));
  return new Promise<{ status: number; headers: Record<string, unknown>; serial: string }>(
    (resolve, reject) => {
      const sent = request(
        `https://localhost:${port}${path}`,
        { ca, ...more, agent: new Agent() },
        (response) => {
          const { serialNumber } = (response.socket as import('node:tls').TLSSocket).getPeerCertificate();
          response.resume();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, serial: serialNumber });
        },
      );
      sent.on('error', reject);
      sent.end();
    },
  );
}

async function serial(): Promise<string> {
  return (await ask('/-/healthy')).serial;
}

async function until(done: () => Promise<boolean>, process: RealProcess): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (await done()) return;
    if (process.exited) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`it did not happen within half a minute:\n${process.output}`);
}
