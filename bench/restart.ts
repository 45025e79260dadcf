import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Peer, startPrometheus, startVerona } from '../e2e/peers.ts';
import { runLoad } from './run-load.ts';
import { formatTable } from './table.ts';

/** `npm run bench:restart`: one hour of samples, kill -9, and how long until the store is ready again. */
const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '100000' },
    scrapes: { type: 'string', default: '240' },
    /** For Prometheus, which takes long to fill. */
    'peer-scrapes': { type: 'string', default: '40' },
    only: { type: 'string', default: 'verona,prometheus' },
  },
});

const folder = await mkdtemp(join(import.meta.dirname, '../.cache/bench-'));
const rows: string[][] = [];
try {
  for (const name of flags.only.split(',')) rows.push(await measure(name));
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(formatTable(['store', 'M samples', 'ready after s', 'M samples/s', 'CPU s', 'RSS MB'], rows));

async function measure(name: string): Promise<string[]> {
  const start = (): Promise<Peer> =>
    name === 'verona'
      ? startVerona(join(folder, name), ['--self-metrics.enabled=false', '--log.level=warn'])
      : startPrometheus(join(folder, name));
  const first = await start();
  const load = await runLoad([
    `--url=${first.writeUrl}`,
    `--series=${flags.series}`,
    `--scrapes=${name === 'verona' ? flags.scrapes : flags['peer-scrapes']}`,
  ]);
  await first.process.stop('SIGKILL');
  const begin = performance.now();
  const second = await start();
  const seconds = (performance.now() - begin) / 1000;
  const cpu = second.process.cpuSeconds();
  const { resident } = second.process.memory();
  await second.process.stop('SIGKILL');
  const millions = load.samples / 1e6;
  return [
    name,
    millions.toFixed(1),
    seconds.toFixed(1),
    (millions / seconds).toFixed(2),
    cpu.toFixed(1),
    (resident / 1e6).toFixed(0),
  ];
}
