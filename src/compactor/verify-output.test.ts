import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { testUlid, writeTestBlock } from '../tsdb/compact/testdata/blocks.ts';
import { verifyOutput } from './verify-output.ts';

const { signal } = new AbortController();
const T = 1_700_006_400_000;
const ulid = testUlid(1);

async function written() {
  const disk = new MemoryDisk();
  const samples = Array.from({ length: 300 }, (_, i) => ({ t: T + i * 1000, value: i }));
  const series = { '{"a":"1"}': samples, '{"a":"2"}': samples.slice(5) };
  const meta = await writeTestBlock(disk, 'out', { ulid, minTime: T, maxTime: T + 300_000, series });
  return { disk, meta, dir: `out/${ulid}` };
}

test('a result that is what it should be passes, and its largest entries are told', async () => {
  const { disk, meta, dir } = await written();
  const stats = await verifyOutput(disk, dir, meta, signal);
  expect(stats.seriesMaxBytes).toBeGreaterThan(10);
  expect(stats.chunkMaxBytes).toBeGreaterThan(100);
});

test('a result with another number of samples than was counted does not pass', async () => {
  const { disk, meta, dir } = await written();
  const wrong = { ...meta, stats: { ...meta.stats, numSamples: meta.stats.numSamples + 1 } };
  await expect(verifyOutput(disk, dir, wrong, signal)).rejects.toMatchObject({
    code: 'internal',
    message: `block ${ulid} is not as it should be: it has 595 samples instead of 596`,
  });
});

test.each([
  ['index', 38],
  ['chunks/000001', 3],
] as const)(
  'no changed byte of %s passes but those between entries and of what nobody reads',
  async (file, paddingMax) => {
    const { disk, meta, dir } = await written();
    const path = `${dir}/${file}`;
    const good = await disk.readFile(path);
    const passed: number[] = [];
    for (let at = 0; at < good.length; at++) {
      const bad = good.slice();
      bad[at] ^= 1 << (at % 8);
      await disk.writeFileAtomic(path, bad);
      const isGood = await verifyOutput(disk, dir, meta, signal).then(
        () => true,
        () => false,
      );
      if (isGood) passed.push(at);
    }
    // Prometheus writes an empty table of label indices, and reads none.
    const table =
      file === 'index' ? Buffer.from(good).readUInt32BE(good.length - 52 + 3 * 8 + 4) : good.length;
    const isUnread = (at: number) => good[at] === 0 || (at >= table && at < table + 12);
    expect(passed.filter((at) => !isUnread(at))).toEqual([]);
    expect(passed.length).toBeLessThanOrEqual(paddingMax);
  },
);
