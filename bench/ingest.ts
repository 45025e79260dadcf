import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Peer, startPrometheus, startVerona, startVictoriaMetrics } from '../e2e/peers.ts';
import { runLoad } from './run-load.ts';
import { formatTable } from './table.ts';

/** `npm run bench:ingest`: one hour of samples into Verona, Prometheus and VictoriaMetrics, one after the other. */
const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '100000' },
    scrapes: { type: 'string', default: '240' },
    /** For the peers, when Verona's number would take them too long. */
    'peer-scrapes': { type: 'string' },
    only: { type: 'string', default: 'verona,prometheus,victoria-metrics' },
    mixed: { type: 'boolean', default: false },
  },
});

const STARTERS: Readonly<Record<string, (dir: string) => Promise<Peer>>> = {
  verona: (dir) => startVerona(dir, ['--self-metrics.enabled=false', '--log.level=warn']),
  prometheus: (dir) => startPrometheus(dir),
  'victoria-metrics': (dir) => startVictoriaMetrics(dir),
};

const folder = await mkdtemp(join(import.meta.dirname, '../.cache/bench-'));
const rows: string[][] = [];
try {
  for (const name of flags.only.split(',')) rows.push(await measure(name));
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(
  formatTable(
    [
      'store',
      'M samples',
      'CPU s/M samples',
      'wall s',
      'M samples/s',
      'slowest ms',
      'RSS MB',
      'anon MB',
      'B/series',
      'failed',
    ],
    rows,
  ),
);

async function measure(name: string): Promise<string[]> {
  const scrapes = (name !== 'verona' && flags['peer-scrapes']) || flags.scrapes;
  console.error(`${name}: ${flags.series} series × ${scrapes} scrapes${flags.mixed ? ', mixed' : ''}`);
  const peer = await STARTERS[name](join(folder, name));
  const cpuBefore = peer.process.cpuSeconds();
  const load = await runLoad([
    `--url=${peer.writeUrl}`,
    `--series=${flags.series}`,
    `--scrapes=${scrapes}`,
    ...(flags.mixed ? ['--mixed'] : []),
  ]);
  const cpu = peer.process.cpuSeconds() - cpuBefore;
  const memory = peer.process.memory();
  await peer.process.stop('SIGKILL');
  if (load.lastFailure) console.error(`${name}: the last write that failed: ${load.lastFailure}`);
  const millions = load.samples / 1e6;
  return [
    name,
    millions.toFixed(1),
    (cpu / millions).toFixed(3),
    load.wallSeconds.toFixed(1),
    (millions / load.wallSeconds).toFixed(2),
    load.slowestMs.toFixed(0),
    (memory.resident / 1e6).toFixed(0),
    (memory.anonymous / 1e6).toFixed(0),
    (memory.resident / load.series).toFixed(0),
    String(load.failures),
  ];
}
