import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Peer, startPrometheus, startVerona } from '../e2e/peers.ts';
import { RealProcess } from '../e2e/process.ts';
import { formatTable } from './table.ts';

/** `npm run bench:scrape`: Verona and Prometheus scrape the same targets at the same time; what each takes of a processor. */
const { values: flags } = parseArgs({
  options: {
    targets: { type: 'string', default: '1000' },
    series: { type: 'string', default: '500' },
    interval: { type: 'string', default: '15' },
    /** Seconds before, in which series are made and their lines become known, and seconds that count. */
    warmup: { type: 'string', default: '55' },
    seconds: { type: 'string', default: '45' },
  },
});

const folder = await mkdtemp(join(import.meta.dirname, '../.cache/bench-'));
const targets = new RealProcess('targets', process.execPath, [
  join(import.meta.dirname, 'load/targets.ts'),
  `--series=${flags.series}`,
]);
const peers: Peer[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    for (const one of [targets, ...peers.map((peer) => peer.process)]) one.child.kill('SIGKILL');
    process.exit(1);
  });
try {
  const config = configOf(await portOf(targets));
  const file = join(folder, 'verona.yml');
  await writeFile(file, config);
  const veronaFlags = [
    `--scrape.config.file=${file}`,
    '--self-metrics.enabled=false',
    '--objstore.enabled=false',
    '--log.level=warn',
  ];
  peers.push(await startVerona(join(folder, 'verona'), veronaFlags));
  peers.push(await startPrometheus(join(folder, 'prometheus'), config));
  await sleep(Number(flags.warmup));
  const before = peers.map(({ process }) => process.cpuSeconds());
  await sleep(Number(flags.seconds));
  const used = peers.map(({ process }, i) => process.cpuSeconds() - before[i]);
  const rows = await Promise.all(peers.map((peer, i) => rowOf(peer, used[i])));
  console.log(
    formatTable(['store', '% of a core', 'µs CPU/sample', 'targets up', 'median jitter ms', 'RSS MB'], rows),
  );
  console.log(`Verona takes ${(used[0] / used[1]).toFixed(2)} of Prometheus' CPU`);
} finally {
  await Promise.all([targets, ...peers.map(({ process }) => process)].map((one) => one.stop('SIGKILL')));
  await rm(folder, { recursive: true, force: true });
}

/** Every target has an address of its own. */
function configOf(port: number): string {
  const addresses = Array.from(
    { length: Number(flags.targets) },
    (_, i) => `127.1.${Math.floor(i / 250)}.${(i % 250) + 1}:${port}`,
  );
  return `global: { scrape_interval: ${flags.interval}s, scrape_timeout: 10s }
scrape_configs:
  - job_name: bench
    static_configs: [{ targets: [${addresses.join(', ')}] }]
`;
}

async function rowOf({ name, url, process }: Peer, cpu: number): Promise<string[]> {
  const samples =
    (Number(flags.targets) * Number(flags.series) * Number(flags.seconds)) / Number(flags.interval);
  return [
    name,
    ((100 * cpu) / Number(flags.seconds)).toFixed(1),
    ((cpu * 1e6) / samples).toFixed(2),
    await ask(url, 'sum(up)'),
    await jitter(url),
    (process.memory().resident / 1e6).toFixed(0),
  ];
}

async function ask(url: string, query: string): Promise<string> {
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`);
  const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  return data.result[0]?.value[1] ?? '0';
}

/** By how much the time between two scrapes of a target differs from the interval, in the middle. */
async function jitter(url: string): Promise<string> {
  const intervalMs = Number(flags.interval) * 1000;
  const query = `up[${4 * Number(flags.interval)}s]`;
  const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`);
  const { data } = (await response.json()) as { data: { result: { values: [number, string][] }[] } };
  const all = data.result.flatMap(({ values }) =>
    values.slice(1).map(([t], i) => Math.abs(Math.round((t - values[i][0]) * 1000) - intervalMs)),
  );
  all.sort((a, b) => a - b);
  return String(all[all.length >> 1] ?? 0);
}

async function portOf(server: RealProcess): Promise<number> {
  for (let i = 0; i < 200; i++) {
    const port = Number(/^\d+/m.exec(server.output)?.[0] ?? 0);
    if (port > 0) return port;
    await sleep(0.05);
  }
  throw new Error(`the targets did not start:\n${server.output}`);
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
