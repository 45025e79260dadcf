import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadScrapeFile } from '../src/config/scrape/scrape-file.ts';
import { SystemClock } from '../src/platform/clock.ts';
import { NodeDisk } from '../src/platform/node-disk.ts';
import { openWebClient } from '../src/platform/web-client.ts';
import { ConfiguredClient } from '../src/pull/scrape/credentials.ts';
import { ScrapeRequests } from '../src/pull/scrape/scrape-request.ts';
import { Certificates } from './certificates.ts';

mkdirSync(join(import.meta.dirname, '../.cache'), { recursive: true });
const folder = mkdtempSync(join(import.meta.dirname, '../.cache/e2e-'));
let server: Server;
let port: number;

beforeAll(async () => {
  const certificates = await Certificates.in(folder);
  for (const name of ['ca', 'stranger']) await certificates.authority(name);
  for (const name of ['target', 'client']) await certificates.issue(name, 'ca');
  const read = (name: string) => readFileSync(join(folder, name));
  const options = { cert: read('target.crt'), key: read('target.key'), ca: read('ca.crt') };
  server = createServer({ ...options, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const isKnown = (request.socket as TLSSocket).authorized;
    response.writeHead(200, { 'content-type': 'text/plain' }).end(`client_known ${isKnown ? 1 : 0}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(() => {
  server?.close();
  server?.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

async function scrape(tls: string, host = 'localhost'): Promise<string> {
  const text = `scrape_configs: [{ job_name: j, tls_config: { ${tls} } }]`;
  const { jobs } = await loadScrapeFile({ file: 'x.yml', text }, folder, {}, async () => []);
  const deps = { open: openWebClient, disk: new NodeDisk(), clock: new SystemClock() };
  const client = new ConfiguredClient(jobs[0], deps);
  try {
    const requests = new ScrapeRequests(jobs[0], client, 'test');
    const { sent } = await requests.scrape(
      `https://${host}:${port}/metrics`,
      1000,
      AbortSignal.timeout(10_000),
    );
    return Buffer.from(sent).toString();
  } finally {
    client.close();
  }
}

test('a target is asked over TLS when its certificate is of an authority that is trusted', async () => {
  expect(await scrape('ca_file: ca.crt')).toBe('client_known 0\n');
  await expect(scrape('ca_file: stranger.crt')).rejects.toThrow(/certificate|signature/);
  expect(await scrape('insecure_skip_verify: true')).toBe('client_known 0\n');
});

test('the certificate must be for the name that is asked for, or the one that is configured', async () => {
  await expect(scrape('ca_file: ca.crt, server_name: other.example')).rejects.toThrow(/other\.example/);
  expect(await scrape('ca_file: ca.crt, server_name: localhost', '127.0.0.1')).toBe('client_known 0\n');
});

test('a certificate of the configuration is shown', async () => {
  expect(await scrape('ca_file: ca.crt, cert_file: client.crt, key_file: client.key')).toBe(
    'client_known 1\n',
  );
});

test('a file that is not there is an error that names it', async () => {
  await expect(scrape('ca_file: gone.crt')).rejects.toThrow(/gone\.crt/);
});
