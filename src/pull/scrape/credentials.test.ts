import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import type { HttpClientConfig } from '../../config/scrape/http-client.ts';
import type { ScrapeJob } from '../../config/scrape/job.ts';
import { loadScrapeFile } from '../../config/scrape/scrape-file.ts';
import { SystemClock } from '../../platform/clock.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { openWebClient } from '../../platform/web-client.ts';
import { ConfiguredClient } from './credentials.ts';
import { ScrapeRequests } from './scrape-request.ts';

const servers: Server[] = [];
const clients: ConfiguredClient[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

type Answer = { status?: number; headers?: Record<string, string>; body?: string | Buffer };

async function serve(answer: (request: IncomingMessage, body: string) => Answer): Promise<string> {
  const server = createServer((request, response) => {
    let sent = '';
    request.on('data', (part) => (sent += part));
    request.on('end', () => {
      const { status = 200, headers = {}, body = '' } = answer(request, sent);
      response.writeHead(status, headers).end(body);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function jobOf(settings: string): Promise<ScrapeJob> {
  const text = `scrape_configs: [{ job_name: j, ${settings} }]`;
  return (await loadScrapeFile({ file: 'x.yml', text }, '/etc', {}, async () => [])).jobs[0];
}

function clientOf(config: HttpClientConfig, disk = new MemoryDisk()): ConfiguredClient {
  const client = new ConfiguredClient(config, { open: openWebClient, disk, clock: new SystemClock() });
  clients.push(client);
  return client;
}

async function scrape(url: string, settings: string, disk?: MemoryDisk) {
  const job = await jobOf(settings);
  const requests = new ScrapeRequests(job, clientOf(job, disk), 'test');
  const scraped = await requests.scrape(url, 1000, AbortSignal.timeout(5000));
  const body = Buffer.from(requests.open(scraped, undefined).bytes).toString();
  return { body, contentType: scraped.contentType };
}

const shown = (request: IncomingMessage) => ({ body: String(request.headers.authorization) });

test.each([
  ['basic_auth: { username: u, password: p }', 'Basic dTpw'],
  ['authorization: { credentials: x }', 'Bearer x'],
  ['authorization: { type: Token, credentials: x }', 'Token x'],
  ['bearer_token: x', 'Bearer x'],
  ['bearer_token_file: token', 'Bearer out of a file'],
  ['metrics_path: /m', 'undefined'],
])('%s is sent as %s', async (settings, expected) => {
  const disk = new MemoryDisk();
  await disk.makeDir('/etc');
  await disk.writeFileAtomic('/etc/token', Buffer.from('out of a file\n'));
  expect((await scrape(await serve(shown), settings, disk)).body).toBe(expected);
});

test('a secret that is not there is an error that names its file', async () => {
  await expect(scrape(await serve(shown), 'bearer_token_file: gone')).rejects.toThrow(/\/etc\/gone/);
});

test('a token is asked for once, by the client credentials grant', async () => {
  const asked: string[] = [];
  const tokens = await serve((request, body) => {
    asked.push(`${request.headers.authorization} ${body}`);
    return { body: '{"access_token":"t1","expires_in":3600}' };
  });
  const url = await serve(shown);
  const job = await jobOf(
    `oauth2: { client_id: id, client_secret: s, scopes: [a, b], token_url: '${tokens}/t', endpoint_params: { x: y } }`,
  );
  const requests = new ScrapeRequests(job, clientOf(job), 'test');
  for (let i = 0; i < 2; i++) {
    const { sent } = await requests.scrape(url, 1000, AbortSignal.timeout(5000));
    expect(Buffer.from(sent).toString()).toBe('Bearer t1');
  }
  expect(asked).toEqual(['Basic aWQ6cw== grant_type=client_credentials&x=y&scope=a+b']);
});

test('headers of the configuration are sent', async () => {
  const url = await serve((request) => ({ body: String(request.headers['x-scope']) }));
  expect((await scrape(url, 'http_headers: { X-Scope: { values: [a], secrets: [b] } }')).body).toBe('a, b');
});

test('credentials do not follow a redirect to another host', async () => {
  const other = await serve(shown);
  const url = await serve(() => ({ status: 302, headers: { location: `${other}/x` } }));
  expect((await scrape(url, 'bearer_token: x')).body).toBe('undefined');
  await expect(scrape(url, 'bearer_token: x, follow_redirects: false')).rejects.toThrow(/HTTP status 302/);
});

test('a proxy is asked for the whole URL', async () => {
  const proxy = await serve((request) => ({ body: `${request.headers.host} ${request.url}` }));
  const { body } = await scrape('http://far.example:9100/metrics?a=b', `proxy_url: '${proxy}'`);
  expect(body).toBe('far.example:9100 http://far.example:9100/metrics?a=b');
});

test('compressed bodies are inflated, up to the limit', async () => {
  const zipped = gzipSync('a 1\n'.repeat(1000));
  const url = await serve(() => ({
    headers: { 'content-encoding': 'gzip', 'content-type': 'text/plain' },
    body: zipped,
  }));
  const { body, contentType } = await scrape(url, 'body_size_limit: 1MB');
  expect([body.length, contentType]).toEqual([4000, 'text/plain']);
  await expect(scrape(url, 'body_size_limit: 1KB')).rejects.toThrow('body size limit exceeded');
  const broken = await serve(() => ({ headers: { 'content-encoding': 'gzip' }, body: 'no gzip' }));
  await expect(scrape(broken, 'metrics_path: /')).rejects.toThrow(/gzip/);
});
