import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Peer, startVerona } from '../e2e/peers.ts';
import { RequestTemplate } from './load/requests.ts';
import { Sender } from './load/send.ts';
import { seriesBytes } from './load/series.ts';
import { Values } from './load/values.ts';
import { runLoad } from './run-load.ts';
import { formatTable } from './table.ts';

/**
 * `npm run bench:block`: the head of 1,000,000 series becomes a block, is verified and cut, while writes go on; how long
 * the slowest write took, and for how long the event loop did not turn.
 */
const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '1000000' },
    scrapes: { type: 'string', default: '4' },
    /** Samples a second that are written meanwhile. */
    rate: { type: 'string', default: '50000' },
  },
});

const WRITERS_SERIES = 20_000;
const BATCH = 1000;
const INTERVAL_MS = 15_000;

const folder = await mkdtemp(join(import.meta.dirname, '../.cache/bench-'));
const verona = await startVerona(join(folder, 'verona'), [
  '--self-metrics.enabled=false',
  '--log.level=warn',
  '--objstore.enabled=false',
]);
try {
  const beginMs = Date.now();
  await runLoad([
    `--url=${verona.writeUrl}`,
    `--series=${flags.series}`,
    `--scrapes=${flags.scrapes}`,
    `--end=${beginMs - INTERVAL_MS}`,
  ]);
  const idle = await measure(verona, async () => new Promise((resolve) => setTimeout(resolve, 10_000)));
  const cutting = await measure(verona, async () => {
    const response = await fetch(`${verona.url}/ingester/flush`, { method: 'POST' });
    if (!response.ok) throw new Error(`flush: ${response.status} ${await response.text()}`);
  });
  console.log(
    formatTable(
      [
        '',
        'seconds',
        'CPU s',
        'writes',
        'refused',
        'p50 ms',
        'p99 ms',
        'slowest ms',
        'loop p99 ms',
        'loop max ms',
        'RSS MB',
      ],
      [
        ['no block', ...idle],
        [`block of ${flags.series} series`, ...cutting],
      ],
    ),
  );
} finally {
  await verona.process.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
}

/** Writes at the given rate until `task` is done. */
async function measure(peer: Peer, task: () => Promise<unknown>): Promise<string[]> {
  await loopDelay(peer);
  const cpuBefore = peer.process.cpuSeconds();
  const begin = performance.now();
  let done = false;
  const running = task().finally(() => {
    done = true;
  });
  const { latencies, refused } = await write(peer, () => done);
  await running;
  const delay = await loopDelay(peer);
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))];
  return [
    ((performance.now() - begin) / 1000).toFixed(1),
    (peer.process.cpuSeconds() - cpuBefore).toFixed(1),
    String(latencies.length),
    String(refused),
    quantile(0.5).toFixed(1),
    quantile(0.99).toFixed(1),
    quantile(1).toFixed(0),
    delay.p99Ms.toFixed(0),
    delay.maxMs.toFixed(0),
    (peer.process.memory().resident / 1e6).toFixed(0),
  ];
}

async function write(peer: Peer, isDone: () => boolean): Promise<{ latencies: number[]; refused: number }> {
  const sender = new Sender(peer.writeUrl, 4);
  const values = new Values(WRITERS_SERIES);
  const templates: RequestTemplate[] = [];
  for (let from = 0; from < WRITERS_SERIES; from += BATCH) {
    const series = Array.from({ length: BATCH }, (_, i) => from + i);
    templates.push(new RequestTemplate(series, (index) => seriesBytes(index, WRITERS_SERIES)));
  }
  const latencies: number[] = [];
  const pending = new Set<Promise<void>>();
  const begin = performance.now();
  for (let sent = 0; !isDone(); sent++) {
    const dueMs = begin + (sent * BATCH * 1000) / Number(flags.rate);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
    if (sent % templates.length === 0) values.advance();
    const body = templates[sent % templates.length].body(values.current, Date.now());
    // Open loop: a write that waits does not keep the next ones from being sent.
    const at = performance.now();
    const one = sender.send([{ body, samples: BATCH }]).then(() => {
      latencies.push(performance.now() - at);
      pending.delete(one);
    });
    pending.add(one);
  }
  await Promise.all(pending);
  sender.close();
  return { latencies, refused: sender.stats.failures };
}

/** How late the event loop was since the last call, as the server's own metrics say. */
async function loopDelay(peer: Peer): Promise<{ p99Ms: number; maxMs: number }> {
  const text = await (await fetch(`${peer.url}/metrics`)).text();
  const value = (name: string) => 1000 * Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return {
    p99Ms: value('nodejs_eventloop_lag_p99_seconds'),
    maxMs: value('nodejs_eventloop_lag_max_seconds'),
  };
}
