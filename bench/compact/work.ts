import { readdirSync } from 'node:fs';
import { NodeDisk } from '../../src/platform/node-disk.ts';
import { mergeBlocks } from '../../src/tsdb/compact/merge-blocks.ts';
import { downsampleBlock } from '../../src/tsdb/downsample/downsample-block.ts';

/** One piece of work in a process of its own, so that its memory is its own: `work.ts merge|downsample OUT DIR…`; prints JSON. */
const [kind, out, ...dirs] = process.argv.slice(2);
const disk = new NodeDisk();
const ULID = '01HF9999999999999999999999';
const before = process.cpuUsage();
const begin = performance.now();
let samples = 0;
await disk.remove(out);
if (kind === 'downsample') {
  for (const [i, dir] of dirs.entries()) {
    const ulid = dir.slice(dir.lastIndexOf('/') + 1);
    const output = `${ULID.slice(0, 24)}${String(i).padStart(2, '0')}`;
    const request = { disk, source: dir, ulid, inMs: 0, outMs: 300_000, dir: out, output };
    samples += (await downsampleBlock(request)).samplesRead;
  }
} else {
  // Each argument is a replica, or a group of blocks to be joined.
  const groups = kind === 'replicas' ? [dirs.flatMap(blocksIn)] : dirs.map((dir) => dir.split(','));
  for (const [i, group] of groups.entries()) {
    const report = await mergeBlocks({
      disk,
      inputs: group.map((dir) => ({
        dir,
        replica: kind === 'replicas' ? dirs.findIndex((d) => dir.startsWith(d)) : 0,
      })),
      dir: out,
      ulids: [`${ULID.slice(0, 24)}${String(i).padStart(2, '0')}`],
      dedup: 'penalty',
      thanosOf: () => undefined,
    });
    samples += report.samplesRead;
  }
}
const { user, system } = process.cpuUsage(before);
console.log(
  JSON.stringify({
    samples,
    cpuSeconds: (user + system) / 1e6,
    wallSeconds: (performance.now() - begin) / 1000,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  }),
);

function blocksIn(dir: string): string[] {
  return readdirSync(dir).map((name) => `${dir}/${name}`);
}
