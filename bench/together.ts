import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startVerona } from '../e2e/peers.ts';
import { queryUrl, readQuerySet } from './query-set.ts';
import { runLoad } from './run-load.ts';
import { formatTable } from './table.ts';

/** `npm run bench:together`: paced ingest while the query set loops; the slowest write, losses and memory. */
const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '100000' },
    scrapes: { type: 'string', default: '480' },
    rate: { type: 'string', default: '1000000' },
  },
});

const folder = await mkdtemp(join(import.meta.dirname, '../.cache/bench-'));
const verona = await startVerona(join(folder, 'verona'), [
  '--self-metrics.enabled=false',
  '--log.level=warn',
]);
try {
  const endMs = Math.floor(Date.now() / 15_000) * 15_000;
  let done = false;
  let rounds = 0;
  const asking = (async () => {
    while (!done) {
      for (const query of readQuerySet()) {
        const times = { endMs, hours: 1, stepS: 15 };
        const response = await fetch(queryUrl(verona.url, query, times));
        await response.arrayBuffer();
        if (!response.ok) throw new Error(`${query.title}: ${response.status}`);
        if (done) return;
      }
      rounds++;
    }
  })();
  const load = await runLoad([
    `--url=${verona.writeUrl}`,
    `--series=${flags.series}`,
    `--scrapes=${flags.scrapes}`,
    `--end=${endMs}`,
    `--rate=${flags.rate}`,
  ]);
  done = true;
  await asking;
  const answered = await countSamples(verona.url, load.startMs, endMs);
  const memory = verona.process.memory();
  console.log(
    formatTable(
      ['M samples', 'M/s', 'slowest write ms', 'refused', 'lost', 'query rounds', 'RSS MB', 'peak MB'],
      [
        [
          (load.samples / 1e6).toFixed(1),
          (load.samples / 1e6 / load.wallSeconds).toFixed(2),
          load.slowestMs.toFixed(0),
          String(load.failures),
          String(load.samples - answered),
          String(rounds),
          (memory.resident / 1e6).toFixed(0),
          (memory.peak / 1e6).toFixed(0),
        ],
      ],
    ),
  );
} finally {
  await verona.process.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
}

/** Samples that queries over the whole time find, metric by metric. */
async function countSamples(url: string, startMs: number, endMs: number): Promise<number> {
  const names = (await ask(`${url}/api/v1/label/__name__/values`)) as string[];
  let count = 0;
  for (const name of names) {
    const query = encodeURIComponent(`sum(count_over_time(${name}[${endMs - startMs + 1}ms]))`);
    const data = await ask(`${url}/api/v1/query?time=${endMs / 1000}&query=${query}`);
    count += Number((data as { result: { value: [number, string] }[] }).result[0]?.value[1] ?? 0);
  }
  return count;
}

async function ask(url: string): Promise<unknown> {
  const response = await fetch(url);
  const answer = (await response.json()) as { data?: unknown; error?: string };
  if (!response.ok) throw new Error(`${url}: ${response.status} ${answer.error}`);
  return answer.data;
}
