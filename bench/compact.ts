import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { startPrometheus } from '../e2e/peers.ts';
import { blockSet } from './compact/block-sets.ts';
import { BLOCK_MS, STEP_MS } from './compact/make-blocks.ts';
import { formatTable } from './table.ts';

/**
 * `npm run bench:compact`: two-hour blocks joined in threes, as Prometheus does it, beside Prometheus; all joined into one, and
 * that read back; two replicas merged; raw samples downsampled. CPU-seconds, samples per CPU-second, and the most memory each
 * held. Blocks are made once per size and kept in `.cache/compact`; `--only=make` does no more than that.
 */
const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '20000' },
    blocks: { type: 'string', default: '12' },
    only: { type: 'string', default: 'joins,whole,verify,replicas,downsample,prometheus' },
  },
});
const series = Number(flags.series);
const blocks = Number(flags.blocks);
const only = new Set(flags.only.split(','));
const run = promisify(execFile);
const CACHE = join(import.meta.dirname, '../.cache');

interface Figures {
  readonly samples: number;
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly peakBytes: number;
}

const rows: string[][] = [];
// One more: Prometheus leaves the newest block alone.
const set = await blockSet(series, blocks + 1, 0);
const dirs = set.slice(0, blocks);
const threes = Array.from({ length: Math.floor(blocks / 3) }, (_, i) =>
  dirs.slice(3 * i, 3 * i + 3).join(','),
);
const other = only.has('replicas') || only.has('make') ? await blockSet(series, blocks + 1, 1) : [];
const folder = await mkdtemp(join(CACHE, 'bench-'));
try {
  if (only.has('prometheus')) note('Prometheus, in threes', await prometheus(dirname(set[0]), threes.length));
  if (only.has('joins')) note('Verona, in threes', await work('merge', 'out', ...threes));
  if (['whole', 'verify', 'downsample'].some((part) => only.has(part))) {
    note(`Verona, ${blocks} into one`, await work('merge', 'whole', dirs.join(',')));
    const [one] = readdirSync(join(folder, 'whole')).map((name) => join(folder, 'whole', name));
    if (only.has('verify')) note('Verona, that one read back', await work('verify', 'out', one));
    if (only.has('downsample')) {
      note('Verona, that one to 5m', await work('downsample', '5m', one));
      const [five] = readdirSync(join(folder, '5m')).map((name) => join(folder, '5m', name));
      note('Verona, that one to 1h', await work('coarsen', 'out', five));
    }
  }
  if (only.has('replicas'))
    note(
      'Verona, two replicas into one',
      await work('replicas', 'out', dirs.join(','), other.slice(0, blocks).join(',')),
    );
  if (rows.length > 0)
    console.log(formatTable(['', 'M samples', 'CPU s', 'CPU s / M', 'M / CPU s', 'wall s', 'peak MB'], rows));
} finally {
  await rm(folder, { recursive: true, force: true });
}

function note(name: string, { samples, cpuSeconds, wallSeconds, peakBytes }: Figures): void {
  rows.push([
    name,
    (samples / 1e6).toFixed(1),
    cpuSeconds.toFixed(2),
    ((cpuSeconds / samples) * 1e6).toFixed(4),
    (samples / 1e6 / cpuSeconds).toFixed(1),
    wallSeconds.toFixed(1),
    (peakBytes / 1e6).toFixed(0),
  ]);
}

/** In a process of its own, so that memory is its own; `out` is a folder below the run's. */
async function work(kind: string, out: string, ...dirs: string[]): Promise<Figures> {
  const script = join(import.meta.dirname, 'compact/work.ts');
  const node = ['--single-threaded-gc', script, kind, join(folder, out), ...dirs];
  const { stdout } = await run(process.execPath, node, { maxBuffer: 1 << 20 });
  return JSON.parse(stdout) as Figures;
}

/** Started on a copy of the blocks; its compaction begins a minute after the start. */
async function prometheus(from: string, joins: number): Promise<Figures> {
  const dir = join(folder, 'prometheus');
  await cp(from, join(dir, 'data'), { recursive: true });
  const peer = await startPrometheus(dir, 'global: {}\n', [
    '--storage.tsdb.min-block-duration=2h',
    '--storage.tsdb.max-block-duration=6h',
  ]);
  try {
    await new Promise((resolve) => setTimeout(resolve, 30_000));
    const before = peer.process.cpuSeconds();
    const begin = performance.now();
    while (joined(join(dir, 'data')) < joins) {
      if (performance.now() - begin > 300_000)
        throw new Error('Prometheus has not compacted in five minutes');
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return {
      samples: (joins * 3 * series * BLOCK_MS) / STEP_MS,
      cpuSeconds: peer.process.cpuSeconds() - before,
      wallSeconds: (performance.now() - begin) / 1000 - 30,
      peakBytes: peer.process.memory().peak,
    };
  } finally {
    await peer.process.stop('SIGKILL');
  }
}

/** Blocks of a higher level that are there. */
function joined(dir: string): number {
  return readdirSync(dir)
    .filter((name) => /^[0-9A-Z]{26}$/.test(name))
    .filter((name) => JSON.parse(readFileSync(join(dir, name, 'meta.json'), 'utf8')).compaction.level > 1)
    .length;
}
