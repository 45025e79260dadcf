import { verifyOutput } from '../../src/compactor/verify-output.ts';
import { NodeDisk } from '../../src/platform/node-disk.ts';
import { readMeta } from '../../src/tsdb/block/meta.ts';
import { type MergeInput, mergeBlocks } from '../../src/tsdb/compact/merge-blocks.ts';
import { downsampleBlock } from '../../src/tsdb/downsample/downsample-block.ts';
import { FIVE_MINUTES_MS, ONE_HOUR_MS } from '../../src/tsdb/downsample/window.ts';

/** One piece of work in a process of its own: `work.ts KIND OUT GROUP…`, a group being folders of blocks with commas; prints JSON. */
const [kind, out, ...args] = process.argv.slice(2);
const groups = args.map((arg) => arg.split(','));
const disk = new NodeDisk();
const before = process.cpuUsage();
const begin = performance.now();
await disk.remove(out);
const samples = await workOf(kind);
const { user, system } = process.cpuUsage(before);
console.log(
  JSON.stringify({
    samples,
    cpuSeconds: (user + system) / 1e6,
    wallSeconds: (performance.now() - begin) / 1000,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  }),
);

async function workOf(kind: string): Promise<number> {
  switch (kind) {
    case 'merge':
      return sumOf(
        groups.map(
          (group, i) => () =>
            merge(
              i,
              group.map((dir) => ({ dir, replica: 0 })),
            ),
        ),
      );
    case 'replicas':
      return merge(
        0,
        groups.flatMap((group, replica) => group.map((dir) => ({ dir, replica }))),
      );
    case 'verify':
      return sumOf(groups.flat().map((dir) => () => verify(dir)));
    case 'downsample':
      return sumOf(groups.flat().map((dir, i) => () => downsample(i, dir, 0, FIVE_MINUTES_MS)));
    case 'coarsen':
      return sumOf(groups.flat().map((dir, i) => () => downsample(i, dir, FIVE_MINUTES_MS, ONE_HOUR_MS)));
    default:
      throw new Error(`no such work: ${kind}`);
  }
}

async function sumOf(parts: readonly (() => Promise<number>)[]): Promise<number> {
  let sum = 0;
  for (const part of parts) sum += await part();
  return sum;
}

async function merge(i: number, inputs: readonly MergeInput[]): Promise<number> {
  const report = await mergeBlocks({
    disk,
    inputs,
    dir: out,
    ulids: [ulidOf(i)],
    dedup: 'penalty',
    thanosOf: () => undefined,
  });
  return report.samplesRead;
}

async function verify(dir: string): Promise<number> {
  const meta = await readMeta(disk, dir);
  await verifyOutput(disk, dir, meta, new AbortController().signal);
  return meta.stats.numSamples;
}

async function downsample(i: number, source: string, inMs: number, outMs: number): Promise<number> {
  const ulid = source.slice(source.lastIndexOf('/') + 1);
  const request = { disk, source, ulid, inMs, outMs, dir: out, output: ulidOf(i) };
  return (await downsampleBlock(request)).samplesRead;
}

function ulidOf(i: number): string {
  return `01HF99999999999999999999${String(i).padStart(2, '0')}`;
}
