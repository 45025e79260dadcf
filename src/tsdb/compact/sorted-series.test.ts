import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { Block } from '../block/block.ts';
import { type Tombstones, writeTombstones } from '../block/tombstones.ts';
import { verifyBlock } from '../block/verify-block.ts';
import { PageCache } from '../chunks/page-cache.ts';
import type { AnySample } from '../head/clip-chunk.ts';
import { mergeBlocks } from './merge-blocks.ts';
import type { LabelChange } from './sorted-series.ts';
import { readTestBlock, type TestSeries, testUlid, writeTestBlock } from './testdata/blocks.ts';
import { encodeLooseIndex, type LooseSeries, readLooseSeries } from './testdata/loose-index.ts';

const [IN, OUT] = [testUlid(1), testUlid(2)];

function ramp(from: number, count: number): AnySample[] {
  return Array.from({ length: count }, (_, i) => ({ t: from + i * 10, value: i }));
}

/** A block 0 … 10 s whose index is then written as `loosen` gives its series, with symbols in this order. */
async function looseBlock(
  series: TestSeries,
  loosen: (series: LooseSeries[]) => LooseSeries[],
  order: (symbols: string[]) => string[] = (symbols) => symbols,
  tombstones: Tombstones = new Map(),
): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await writeTestBlock(disk, 'in', { ulid: IN, minTime: 0, maxTime: 10_000, series });
  const loose = loosen(await readLooseSeries(disk, `in/${IN}/index`));
  const symbols = order([...new Set(loose.flatMap(({ labels }) => labels))].sort());
  await disk.writeFileAtomic(`in/${IN}/index`, encodeLooseIndex(symbols, loose));
  if (tombstones.size > 0) await writeTombstones(disk, `in/${IN}`, tombstones);
  return disk;
}

async function reorder(disk: MemoryDisk, change?: LabelChange) {
  const report = await mergeBlocks({
    disk,
    inputs: [{ dir: `in/${IN}`, replica: 0 }],
    dir: 'out',
    ulids: [OUT],
    dedup: 'one-to-one',
    thanosOf: () => undefined,
    reorder: { ...(change && { change }) },
  });
  const block = await Block.open(disk, `out/${OUT}`, new PageCache(1 << 20));
  expect((await verifyBlock(block)).findings).toEqual([]);
  await block.close();
  const { series } = await readTestBlock(disk, `out/${OUT}`);
  return { ...report, read: series };
}

const TWO = { '{"a":"1","b":"x"}': ramp(0, 300), '{"a":"2","c":"y"}': ramp(100, 130) };

test('whatever the order of symbols, series, label names and chunks, the same samples come out', async () => {
  const good = await reorder(await looseBlock(TWO, (series) => series));
  expect(good.sorted).toEqual({ isSorted: true, joinedSeries: 0, outsideChunks: 0 });
  expect(good.chunksMerged).toBe(0);
  const shuffled = <T>(items: readonly T[], seed: readonly number[]): T[] =>
    items
      .map((item, i) => ({ item, key: seed[i % seed.length] * (i + 1) }))
      .sort((a, b) => (a.key % 17) - (b.key % 17))
      .map(({ item }) => item);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(1000), { minLength: 3, maxLength: 9 }), async (seed) => {
      const disk = await looseBlock(
        TWO,
        (series) =>
          shuffled(series, seed).map(({ labels, chunks }) => ({
            labels: shuffled([0, 2], seed).flatMap((i) => [labels[i], labels[i + 1]]),
            chunks: shuffled(chunks, seed),
          })),
        (symbols) => shuffled(symbols, seed),
      );
      expect((await reorder(disk)).read).toEqual(good.read);
    }),
    { numRuns: 40 },
  );
});

test('a series that is there again is joined, its chunks once each', async () => {
  const disk = await looseBlock(TWO, ([first, second]) => [
    { ...first, chunks: first.chunks.slice(0, 2) },
    { ...first, chunks: first.chunks.slice(1) },
    second,
  ]);
  const { read, sorted } = await reorder(disk);
  expect(sorted?.joinedSeries).toBe(1);
  expect(read['{"a":"1","b":"x"}']).toHaveLength(300);
});

test('chunks wholly outside of the block’s time are left out, those that reach beyond it lengthen it', async () => {
  const samples = [...ramp(0, 120), ...ramp(9000, 120), ...ramp(20_000, 120)];
  const disk = await looseBlock({ '{"a":"1"}': samples }, (series) => series);
  const { read, sorted, outputs } = await reorder(disk);
  expect(sorted?.outsideChunks).toBe(1);
  expect(read['{"a":"1"}']).toHaveLength(240);
  expect(outputs[0]).toMatchObject({ minTime: 0, maxTime: 10_191 });
});

test('series get other labels, are left out, and become one when they are the same then', async () => {
  const disk = await looseBlock({ ...TWO, '{"d":"1"}': ramp(0, 1) }, (series) => series);
  const { read, sorted } = await reorder(disk, (labels) =>
    labels[0] === 'd' ? undefined : ['zone', 'é', 'a', labels[1] === '1' ? 'same' : 'same', 'gone', ''],
  );
  expect(sorted).toMatchObject({ isSorted: false, joinedSeries: 1 });
  expect(Object.keys(read)).toEqual(['{"a":"same","zone":"é"}']);
  expect(read['{"a":"same","zone":"é"}']).toHaveLength(300);
});

test('what no order heals is the fault of the block, and leaves nothing', async () => {
  const twice = await looseBlock(TWO, ([{ labels, chunks }]) => [{ labels: [...labels, 'a', '2'], chunks }]);
  await expect(reorder(twice)).rejects.toMatchObject({ ulid: IN, message: /has a label twice/ });
  const deleted = await looseBlock(
    TWO,
    ([first]) => [first, first],
    (symbols) => symbols,
    new Map([[3, [{ mint: 0, maxt: 100 }]]]),
  );
  const refs = await looseRefs(deleted);
  await writeTombstones(deleted, `in/${IN}`, new Map([[refs, [{ mint: 0, maxt: 100 }]]]));
  await expect(reorder(deleted)).rejects.toMatchObject({ ulid: IN, message: /samples are deleted/ });
  expect(await deleted.list('out')).toEqual([]);
});

/** The number of the second series, as postings have it. */
async function looseRefs(disk: MemoryDisk): Promise<number> {
  const block = await Block.open(disk, `in/${IN}`, new PageCache(1 << 20));
  const [, second] = block.index.allPostings();
  await block.close();
  return second;
}
