import { fork } from 'node:child_process';
import { join } from 'node:path';
import { Matcher } from '../../src/model/matcher.ts';
import { SystemClock } from '../../src/platform/clock.ts';
import { loadServices } from '../../src/storeapi/service-definitions.ts';
import { NO_CREDENTIALS, StoreClient } from '../../src/storeapi/store-client.ts';
import { StoreQuerier } from '../../src/storeapi/store-querier.ts';
import { formatTable, median } from '../table.ts';

interface Usage {
  readonly cpu: NodeJS.CpuUsage;
  readonly peak: number;
}

const SHAPES = [
  { title: '24 h: 48 chunks of 500 B', SERIES: 20_000, CHUNKS: 48, CHUNK_BYTES: 500 },
  { title: '1 h: 2 chunks of 500 B', SERIES: 200_000, CHUNKS: 2, CHUNK_BYTES: 500 },
] as const;
const RUNS = 3;

/** Series from one process to another over loopback, as batches at the other end: bytes of chunks a second. */
export async function measureStreams(): Promise<string> {
  const rows: string[][] = [];
  for (const { title, ...shape } of SHAPES) rows.push([title, ...(await measure(shape))]);
  const head = ['series', 'MB/s', 'CPU s/GB server', 'client', 'peak MB server', 'client'];
  return formatTable(head, rows);
}

async function measure(shape: Readonly<Record<string, number>>): Promise<string[]> {
  const env = Object.fromEntries(Object.entries(shape).map(([name, value]) => [name, String(value)]));
  const server = fork(join(import.meta.dirname, 'stream-server.ts'), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    execArgv: process.execArgv,
  });
  try {
    const port = await new Promise<string>((resolve) =>
      server.stdout!.once('data', (text) => resolve(String(text).trim())),
    );
    const usage = () =>
      new Promise<Usage>((resolve) => {
        server.once('message', (message) => resolve(message as Usage));
        server.send('usage');
      });
    const rates: number[] = [];
    await readAll(port);
    const [before, own] = [await usage(), process.cpuUsage()];
    let bytes = 0;
    for (let i = 0; i < RUNS; i++) {
      const begin = performance.now();
      const read = await readAll(port);
      rates.push(read / 1e3 / (performance.now() - begin));
      bytes += read;
    }
    const after = await usage();
    const perGb = (cpu: NodeJS.CpuUsage, from: NodeJS.CpuUsage) =>
      ((cpu.user + cpu.system - from.user - from.system) / 1e6 / (bytes / 1e9)).toFixed(2);
    return [
      median(rates).toFixed(0),
      perGb(after.cpu, before.cpu),
      perGb(process.cpuUsage(), own),
      (after.peak / 1e6).toFixed(0),
      ((process.resourceUsage().maxRSS * 1024) / 1e6).toFixed(0),
    ];
  } finally {
    server.kill();
  }
}

/** Bytes of the chunks read. */
async function readAll(port: string): Promise<number> {
  const endpoint = `127.0.0.1:${port}`;
  const options = { compression: 'none', messageBytesMax: 64 << 20, unaryTimeoutMs: 10_000 } as const;
  const credentials = () => NO_CREDENTIALS;
  const client = new StoreClient(
    { ...options, address: endpoint, credentials },
    loadServices(),
    new SystemClock(),
  );
  const limits = { maxResolutionMs: 0, seriesMax: 1e9, bytesMax: 1e12 };
  const querier = new StoreQuerier(client, { tenant: 't', endpoint, partialResponse: 'abort', ...limits });
  const matchers = [new Matcher('=', 'job', 'web')];
  let bytes = 0;
  const ctx = { signal: new AbortController().signal };
  for await (const batch of querier.select(ctx, { matchers, mint: 0, maxt: 1e14, sorted: true }))
    for (const length of batch.chunkDataLength) bytes += length;
  client.close();
  return bytes;
}
