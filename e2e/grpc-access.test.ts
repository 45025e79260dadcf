import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { watchCredentials } from '../src/cmd/endpoint-credentials.ts';
import { allowedOf, grpcService, keptInfo, TenantStore } from '../src/cmd/grpc.ts';
import { loadConfig } from '../src/config/load.ts';
import { Labels } from '../src/model/labels.ts';
import { type Clock, SystemClock } from '../src/platform/clock.ts';
import { silentLogger } from '../src/platform/log.ts';
import { Metrics } from '../src/platform/metrics.ts';
import { NodeDisk } from '../src/platform/node-disk.ts';
import type { Service } from '../src/server/lifecycle.ts';
import { loadServices } from '../src/storeapi/service-definitions.ts';
import { StoreClient } from '../src/storeapi/store-client.ts';
import { TenantLimits } from '../src/tenancy/limits.ts';
import { Certificates } from './certificates.ts';
import { freePort } from './process.ts';

/** The gRPC listener behind TLS and credentials out of files, met by our own client, in one process. */
const TOKENS = { all: 'token-for-all-tenants-0', acme: 'token-of-acme-012345678' };
const services = loadServices();
const open: (() => Promise<void> | void)[] = [];
let folder: string;
let certificates: Certificates;

/** Waits a hundredth of the time. */
class HurriedClock implements Clock {
  readonly #clock = new SystemClock();

  now = () => this.#clock.now();
  monotonic = () => this.#clock.monotonic() * 100;
  after = (delayMs: number, task: () => void) => this.#clock.after(delayMs / 100, task);
}

beforeAll(async () => {
  mkdirSync(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = mkdtempSync(join(import.meta.dirname, '../.cache/e2e-'));
  certificates = await Certificates.in(folder);
  for (const name of ['ca', 'next', 'stranger']) await certificates.authority(name);
  await certificates.issue('server', 'ca');
  await certificates.issue('client', 'ca');
  await certificates.issue('other', 'stranger');
}, 120_000);

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function path(name: string, text?: string): string {
  const full = join(folder, name);
  if (text !== undefined) writeFileSync(full, text);
  return full;
}

/** Serves what two tenants keep, which is nothing. */
async function serve(flags: Record<string, string>): Promise<string> {
  const address = `127.0.0.1:${await freePort()}`;
  const all = { '--grpc.listen-address': address, ...flags };
  const config = loadConfig({ file: 'flags', text: '' }, all, {});
  const store = new TenantStore({
    external: Labels.empty,
    tenantLabel: 'tenant_id',
    joinsEndpoints: false,
    info: (allowed) => keptInfo(Labels.empty, 'tenant_id', allowedOf(['acme', 'globex'], allowed)),
    run: async (tenant, job) => ({
      status: 200,
      body: Buffer.from(JSON.stringify({ values: [tenant, job.kind], warnings: [] })),
    }),
  });
  const service: Service = await grpcService(config, store, [], new TenantLimits(), () => true, {
    disk: new NodeDisk(),
    clock: new HurriedClock(),
    log: silentLogger,
    metrics: new Metrics(),
  });
  await service.start();
  open.push(() => service.stop());
  return address;
}

function client(address: string, files: Record<string, string> = {}): StoreClient {
  const none = { tls: false, caFile: '', certFile: '', keyFile: '', serverName: '', tokenFile: '' };
  const clock = new HurriedClock();
  const made = new StoreClient(
    {
      address,
      credentials: watchCredentials({ ...none, ...files, tls: 'caFile' in files }, clock, silentLogger),
      compression: 'none',
      messageBytesMax: 1 << 20,
      unaryTimeoutMs: 5_000,
    },
    services,
    new SystemClock(),
  );
  open.push(() => made.close());
  return made;
}

const labels = {
  matchers: [],
  mint: 0,
  maxt: 1,
  limit: 0,
  withoutReplicaLabels: [],
  partialResponse: 'warn',
} as const;
const { signal } = new AbortController();

/** The tenant that a call was answered for. */
async function tenantOf(by: StoreClient, tenant = ''): Promise<string> {
  return (await by.labelNames(tenant, labels, signal)).values[0];
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason as { cause?: { code: status } },
  );
  return error === undefined ? 'OK' : status[error.cause?.code ?? -1];
}

const WEB = `bearer_tokens:
- token: ${TOKENS.all}
- token: ${TOKENS.acme}
  tenants: [acme]
`;

test('without a good token a call ends as UNAUTHENTICATED, and only health is told', async () => {
  const address = await serve({ '--grpc.config-file': path('web.yml', WEB) });
  const [nobody, guess] = [
    client(address),
    client(address, { tokenFile: path('guess', 'a-guess-of-a-token') }),
  ];
  for (const who of [nobody, guess]) {
    expect(await codeOf(tenantOf(who))).toBe('UNAUTHENTICATED');
    expect(await codeOf(who.info(''))).toBe('UNAUTHENTICATED');
    const series = {
      ...labels,
      maxResolutionMs: 0,
      aggregates: [],
      skipChunks: false,
      stepMs: 0,
      rangeMs: 0,
    };
    const request = { ...series, func: '', shard: undefined, batchSize: 1 };
    expect(await codeOf(who.series('', request, signal).next())).toBe('UNAUTHENTICATED');
  }
  expect(await tenantOf(client(address, { tokenFile: path('all', TOKENS.all) }), 'globex')).toBe('globex');
});

test('a token for one tenant names it, is refused for others, and sees no other tenant', async () => {
  const address = await serve({ '--grpc.config-file': path('web.yml', WEB) });
  const acme = client(address, { tokenFile: path('acme', `${TOKENS.acme}\n`) });
  expect(await tenantOf(acme)).toBe('acme');
  expect(await tenantOf(acme, 'default-tenant')).toBe('acme');
  expect(await codeOf(tenantOf(acme, 'globex'))).toBe('PERMISSION_DENIED');
  expect((await acme.info('')).labelSets.map(String)).toEqual(['{tenant_id="acme"}']);
});

test('with an authority for clients only those come in that show a certificate of it', async () => {
  const address = await serve({
    '--grpc.tls-cert-file': path('server.crt'),
    '--grpc.tls-key-file': path('server.key'),
    '--grpc.tls-client-ca-file': path('ca.crt'),
  });
  const ca = { caFile: path('ca.crt') };
  const shown = (name: string) => ({ ...ca, certFile: path(`${name}.crt`), keyFile: path(`${name}.key`) });
  expect(await codeOf(tenantOf(client(address, shown('client'))))).toBe('OK');
  expect(await codeOf(tenantOf(client(address, shown('other'))))).toBe('UNAVAILABLE');
  expect(await codeOf(tenantOf(client(address, ca)))).toBe('UNAVAILABLE');
  expect(await codeOf(tenantOf(client(address)))).toBe('UNAVAILABLE');
});

test('certificates, authorities and tokens are read again on both sides, without an end to calls', async () => {
  for (const [from, to] of ['ca', 'server', 'client'].flatMap((name) => [
    [`${name}.crt`, `live-${name}.crt`],
    [`${name}.key`, `live-${name}.key`],
  ]))
    copyFileSync(path(from), path(to));
  const tokenFile = path('live-token', TOKENS.all);
  const address = await serve({
    '--grpc.tls-cert-file': path('live-server.crt'),
    '--grpc.tls-key-file': path('live-server.key'),
    '--grpc.tls-client-ca-file': path('live-ca.crt'),
    '--grpc.bearer-token-file': tokenFile,
  });
  const own = { certFile: path('live-client.crt'), keyFile: path('live-client.key') };
  const steady = client(address, { caFile: path('live-ca.crt'), ...own, tokenFile });
  const old = client(address, {
    caFile: path('ca.crt'),
    certFile: path('client.crt'),
    keyFile: path('client.key'),
    tokenFile: path('old-token', TOKENS.all),
  });
  expect([await codeOf(tenantOf(steady)), await codeOf(tenantOf(old))]).toEqual(['OK', 'OK']);
  writeFileSync(tokenFile, TOKENS.acme);
  await expect.poll(() => codeOf(tenantOf(old))).toBe('UNAUTHENTICATED');
  await expect.poll(() => codeOf(tenantOf(steady))).toBe('OK');
  await certificates.issue('live-server', 'next');
  await certificates.issue('live-client', 'next');
  copyFileSync(path('next.crt'), path('live-ca.crt'));
  await expect.poll(() => codeOf(tenantOf(steady)), { timeout: 10_000 }).toBe('OK');
  const late = client(address, {
    caFile: path('ca.crt'),
    certFile: path('client.crt'),
    keyFile: path('client.key'),
  });
  await expect.poll(() => codeOf(tenantOf(late)), { timeout: 10_000 }).toBe('UNAVAILABLE');
  await expect.poll(() => codeOf(tenantOf(steady)), { timeout: 10_000 }).toBe('OK');
}, 30_000);

test.each([
  [{ '--grpc.tls-cert-file': 'server.crt' }, 'belong together'],
  [
    { '--grpc.tls-cert-file': 'server.crt', '--grpc.tls-key-file': 'client.key' },
    'certificate, key or authority',
  ],
  [{ '--grpc.bearer-token-file': 'short' }, 'less than 16 characters'],
  [
    { '--grpc.config-file': 'any.yml', '--grpc.tls-cert-file': 'server.crt' },
    'belongs into grpc.config_file',
  ],
  [{ '--grpc.config-file': 'any.yml' }, 'RequireAndVerifyClientCert only'],
])('%j is refused before anything starts', async (flags, message) => {
  path('short', 'secret');
  const tls = 'cert_file: server.crt, key_file: server.key, client_auth_type: RequestClientCert';
  path('any.yml', `tls_server_config: { ${tls} }\n`);
  const located = Object.fromEntries(
    Object.entries(flags).map(([name, file]) => [name, path(file as string)]),
  );
  await expect(serve(located)).rejects.toThrow(message);
});
