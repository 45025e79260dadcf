import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { startPrometheus } from '../e2e/peers.ts';
import { NodeDisk } from '../src/platform/node-disk.ts';
import { BLOCK_MS, makeBlocks, STEP_MS } from './compact/make-blocks.ts';
import { formatTable } from './table.ts';

/**
 * `npm run bench:compact`: two-hour blocks joined in threes, as Prometheus does it, beside Prometheus; all joined into one; two
 * replicas merged; raw samples downsampled. CPU-seconds, samples per CPU-second, and the most memory each held.
 */
const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '20000' },
    blocks: { type: 'string', default: '12' },
    only: { type: 'string', default: 'joins,whole,replicas,downsample,prometheus' },
  },
});
const series = Number(flags.series);
const blocks = Number(flags.blocks);
const only = new Set(flags.only.split(','));
/** A multiple of six hours. */
const START = 1_700_006_400_000;
const run = promisify(execFile);
const disk = new NodeDisk();
const folder = await mkdtemp(join(import.meta.dirname, '../.cache/bench-'));

interface Figures {
  readonly samples: number;
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly peakBytes: number;
}

try {
  const rows: string[][] = [];
  const note = (name: string, { samples, cpuSeconds, wallSeconds, peakBytes }: Figures) =>
    rows.push([
      name,
      (samples / 1e6).toFixed(1),
      cpuSeconds.toFixed(2),
      ((cpuSeconds / samples) * 1e6).toFixed(4),
      (samples / 1e6 / cpuSeconds).toFixed(1),
      wallSeconds.toFixed(1),
      (peakBytes / 1e6).toFixed(0),
    ]);
  const a = join(folder, 'a');
  // One more: Prometheus leaves the newest block alone.
  const ulids = await makeBlocks({ disk, dir: a, series, start: START, blocks: blocks + 1 });
  const dirs = ulids.slice(0, blocks).map((ulid) => join(a, ulid));
  const threes = Array.from({ length: Math.floor(blocks / 3) }, (_, i) =>
    dirs.slice(3 * i, 3 * i + 3).join(','),
  );
  if (only.has('prometheus')) note('Prometheus, in threes', await prometheus(a, threes.length));
  if (only.has('joins')) note('Verona, in threes', await work('merge', ...threes));
  if (only.has('whole')) note(`Verona, ${blocks} into one`, await work('merge', dirs.join(',')));
  if (only.has('downsample')) {
    await work('merge', dirs.join(','));
    await rename(join(folder, 'out'), join(folder, 'whole'));
    const joined = readdirSync(join(folder, 'whole')).map((name) => join(folder, 'whole', name));
    note('Verona, that one to 5m', await work('downsample', ...joined));
  }
  if (only.has('replicas')) {
    await rm(join(a, ulids[blocks]), { recursive: true });
    await makeBlocks({
      disk,
      dir: join(folder, 'b'),
      series,
      start: START,
      blocks,
      replica: 1,
      shiftMs: 7000,
    });
    note('Verona, two replicas into one', await work('replicas', a, join(folder, 'b')));
  }
  console.log(formatTable(['', 'M samples', 'CPU s', 'CPU s / M', 'M / CPU s', 'wall s', 'peak MB'], rows));
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function work(kind: string, ...dirs: string[]): Promise<Figures> {
  const script = join(import.meta.dirname, 'compact/work.ts');
  const node = ['--single-threaded-gc', script, kind, join(folder, 'out'), ...dirs];
  await rm(join(folder, 'out'), { recursive: true, force: true });
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
