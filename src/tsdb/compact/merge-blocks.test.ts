import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLabels } from '../../encoding/label-bytes.ts';
import { Labels } from '../../model/labels.ts';
import { oneBucketHistogram } from '../../model/testdata/one-bucket-histogram.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { Block } from '../block/block.ts';
import { BlockWriter } from '../block/block-writer.ts';
import { verifyBlock } from '../block/verify-block.ts';
import { PageCache } from '../chunks/page-cache.ts';
import type { AnySample } from '../head/clip-chunk.ts';
import { type MergeRequest, mergeBlocks } from './merge-blocks.ts';
import { BlockFault } from './merge-source.ts';
import { readTestBlock, type TestBlock, testUlid, writeTestBlock } from './testdata/blocks.ts';

const OUT = testUlid(999);

async function merge(
  blocks: readonly TestBlock[],
  more: Partial<MergeRequest> = {},
  replicas: number[] = [],
) {
  const disk = new MemoryDisk();
  for (const block of blocks) await writeTestBlock(disk, 'in', block);
  const report = await mergeBlocks({
    disk,
    inputs: blocks.map(({ ulid }, i) => ({ dir: `in/${ulid}`, replica: replicas[i] ?? 0 })),
    dir: 'out',
    ulids: [OUT],
    dedup: 'one-to-one',
    thanosOf: () => undefined,
    ...more,
  });
  for (const meta of report.outputs) if (meta) await expectGood(disk, `out/${meta.ulid}`);
  return { disk, report };
}

async function expectGood(disk: MemoryDisk, dir: string): Promise<void> {
  const block = await Block.open(disk, dir, new PageCache(1 << 20));
  const { findings } = await verifyBlock(block);
  await block.close();
  expect(findings).toEqual([]);
}

function ramp(from: number, count: number, value = 0, step = 10): AnySample[] {
  return Array.from({ length: count }, (_, i) => ({ t: from + i * step, value: value + i }));
}

function block(i: number, minTime: number, maxTime: number, series: TestBlock['series']): TestBlock {
  return { ulid: testUlid(i), minTime, maxTime, series };
}

test('blocks one after the other become one, and their chunks are copied', async () => {
  const { disk, report } = await merge([
    block(1, 0, 10_000, { '{"a":"1"}': ramp(0, 300), '{"a":"2"}': ramp(0, 5) }),
    block(2, 10_000, 20_000, { '{"a":"1"}': ramp(10_000, 200), '{"b":"1"}': ramp(12_000, 1) }),
  ]);
  const { series, chunks } = await readTestBlock(disk, `out/${OUT}`);
  expect(Object.keys(series)).toEqual(['{"a":"1"}', '{"a":"2"}', '{"b":"1"}']);
  expect(series['{"a":"1"}']).toEqual(
    [...ramp(0, 300), ...ramp(10_000, 200)].map(({ t, value }) => [t, value]),
  );
  expect([chunks, report.chunksCopied, report.chunksMerged]).toEqual([7, 7, 0]);
  expect(report.outputs[0]).toMatchObject({
    minTime: 0,
    maxTime: 20_000,
    stats: { numSamples: 506, numSeries: 3, numChunks: 7 },
    compaction: { level: 2, sources: [testUlid(1), testUlid(2)] },
  });
  expect(report.outputs[0]?.compaction.parents?.map(({ ulid }) => ulid)).toEqual([testUlid(1), testUlid(2)]);
});

test('samples of blocks that overlap are all there once, in chunks of 120', async () => {
  const { disk, report } = await merge([
    block(1, 0, 10_000, { '{"a":"1"}': ramp(0, 300, 0, 20) }),
    block(2, 0, 10_000, { '{"a":"1"}': ramp(10, 300, 0, 20) }),
    block(3, 0, 10_000, { '{"a":"1"}': ramp(0, 300, 0, 20) }),
  ]);
  const { series, chunks } = await readTestBlock(disk, `out/${OUT}`);
  expect(series['{"a":"1"}']).toEqual(Array.from({ length: 600 }, (_, i) => [i * 10, i >> 1]));
  expect(chunks).toBe(5);
  expect(report.samplesRead).toBe(900);
});

test('the same block twice is copied, not merged', async () => {
  const series = { '{"a":"1"}': ramp(0, 300) };
  const { disk } = await merge([block(1, 0, 10_000, series), block(2, 0, 10_000, series)]);
  expect((await readTestBlock(disk, `out/${OUT}`)).series['{"a":"1"}']).toHaveLength(300);
});

test('with penalty dedup one replica is followed until it has a gap', async () => {
  const a = [...ramp(0, 50, 0, 100), ...ramp(8000, 20, 0, 100)];
  const b = ramp(30, 100, 1000, 100);
  const blocks = [block(1, 0, 20_000, { '{"a":"1"}': a }), block(2, 0, 20_000, { '{"a":"1"}': b })];
  const { disk } = await merge(blocks, { dedup: 'penalty' }, [0, 1]);
  const { series } = await readTestBlock(disk, `out/${OUT}`);
  const values = series['{"a":"1"}'].map(([, value]) => value as number);
  expect(values.slice(0, 50)).toEqual(a.slice(0, 50).map(({ value }) => value));
  expect(values[50]).toBeGreaterThan(1000);
  const times = series['{"a":"1"}'].map(([t]) => t);
  expect(Math.min(...times.slice(1).map((t, i) => t - times[i]))).toBeGreaterThanOrEqual(100);
});

test('with penalty dedup late samples stay, whichever replica is followed', async () => {
  const followed = ramp(0, 50, 0, 100);
  const late = ramp(50, 10, 5000, 200);
  const blocks = [
    block(1, 0, 20_000, { '{"a":"1"}': followed }),
    block(2, 0, 20_000, { '{"a":"1"}': ramp(30, 50, 1000, 100) }),
    { ...block(3, 0, 20_000, { '{"a":"1"}': late }), isLate: true },
  ];
  const { disk } = await merge(blocks, { dedup: 'penalty' }, [0, 1, 2]);
  const { series } = await readTestBlock(disk, `out/${OUT}`);
  const expected = [...followed, ...late].sort((a, b) => a.t - b.t).map(({ t, value }) => [t, value]);
  expect(series['{"a":"1"}']).toEqual(expected);
});

test('with penalty dedup nothing is left out where one block of another replica label follows the other', async () => {
  const first = ramp(0, 50, 0, 100);
  const second = ramp(5000, 50, 1000, 100);
  const blocks = [
    block(1, 0, 5000, { '{"a":"1"}': first }),
    block(2, 5000, 10_000, { '{"a":"1"}': second }),
    { ...block(3, 0, 10_000, { '{"a":"1"}': ramp(50, 90, 5000, 100) }), isLate: true },
  ];
  const { disk } = await merge(blocks, { dedup: 'penalty' }, [0, 1, 1]);
  const { series } = await readTestBlock(disk, `out/${OUT}`);
  expect(series['{"a":"1"}']).toHaveLength(190);
});

test('with penalty dedup a chunk of which a sample gives way to the other replica is written anew', async () => {
  const a = [0, 10, 60, 80].map((t) => ({ t, value: t }));
  const b = [{ t: 31, value: 31 }];
  // Wide distances: the least penalty is five seconds.
  const wide = (samples: AnySample[]) => samples.map(({ t, value }) => ({ t: t * 1000, value }));
  const blocks = [
    block(1, 0, 90_000, { '{"a":"1"}': wide(a) }),
    block(2, 0, 90_000, { '{"a":"1"}': wide(b) }),
  ];
  const { disk } = await merge(blocks, { dedup: 'penalty' }, [0, 1]);
  const { series } = await readTestBlock(disk, `out/${OUT}`);
  expect(series['{"a":"1"}']).toEqual([0, 10, 31, 60, 80].filter((t) => t !== 60).map((t) => [t * 1000, t]));
});

test('tombstones and deletions are applied, and a label value that is gone leaves no symbol', async () => {
  const first = { ...block(1, 0, 10_000, { '{"a":"1"}': ramp(0, 300), '{"a":"secret"}': ramp(0, 9) }) };
  const { disk } = await merge([first], {
    deletions: (labels) => [
      labels[1] === 'secret' ? [{ mint: 0, maxt: 20_000 }] : [{ mint: 100, maxt: 1999 }],
    ],
  });
  const { series } = await readTestBlock(disk, `out/${OUT}`);
  expect(Object.keys(series)).toEqual(['{"a":"1"}']);
  expect(series['{"a":"1"}'].map(([t]) => t)).toEqual(
    ramp(0, 300)
      .map(({ t }) => t)
      .filter((t) => t < 100 || t > 1999),
  );
  expect(Buffer.from(await disk.readFile(`out/${OUT}/index`)).includes('secret')).toBe(false);
});

test('a block whose samples are all deleted leaves no block', async () => {
  const { disk, report } = await merge([block(1, 0, 10_000, { '{"a":"1"}': ramp(0, 3) })], {
    deletions: () => [[{ mint: 0, maxt: 20_000 }]],
  });
  expect(report.outputs).toEqual([undefined]);
  expect(await disk.list('out')).toEqual([]);
});

test('shards have every series once, and the same one in every merge', async () => {
  const keys = Array.from({ length: 100 }, (_, i) => `{"a":"${i}"}`);
  const series = Object.fromEntries(keys.map((key) => [key, ramp(0, 3)]));
  const ulids = [1, 2, 3].map((i) => testUlid(900 + i));
  const shardsOf = async (more: TestBlock['series']) => {
    const { disk } = await merge([block(1, 0, 10_000, { ...series, ...more })], { ulids });
    return Promise.all(
      ulids.map(async (ulid) => Object.keys((await readTestBlock(disk, `out/${ulid}`)).series)),
    );
  };
  const shards = await shardsOf({});
  expect(shards.flat().sort()).toEqual(keys.sort());
  expect(Math.min(...shards.map(({ length }) => length))).toBeGreaterThan(15);
  const again = await shardsOf({ '{"A":"before all others"}': ramp(0, 1) });
  expect(again.map((shard) => shard.filter((key) => series[key]))).toEqual(shards);
});

test('histograms and floats of one series are merged where they overlap', async () => {
  const { disk } = await merge([
    block(1, 0, 10_000, {
      '{"a":"1"}': [1, 2, 3].map((i) => ({ t: 100 * i, value: oneBucketHistogram(i) })),
    }),
    block(2, 0, 10_000, {
      '{"a":"1"}': [
        { t: 150, value: oneBucketHistogram(7) },
        { t: 250, value: 5 },
      ],
    }),
  ]);
  const { series } = await readTestBlock(disk, `out/${OUT}`);
  expect(
    series['{"a":"1"}'].map(([t, value]) => [t, typeof value === 'number' ? value : value.count]),
  ).toEqual([
    [100, 1],
    [150, 7],
    [200, 2],
    [250, 5],
    [300, 3],
  ]);
});

test('merging blocks of any shape is merging their samples', async () => {
  const seriesOf = fc.dictionary(
    fc.constantFrom('{"a":"1"}', '{"a":"1","b":"2"}', '{"a":"ü"}', '{"z":"1"}'),
    fc.uniqueArray(fc.integer({ min: 0, max: 4000 }), { minLength: 1, maxLength: 400 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(seriesOf, { minLength: 1, maxLength: 4 }), async (list) => {
      const blocks = list.map((times, i) =>
        block(
          i,
          0,
          5000,
          Object.fromEntries(
            Object.entries(times).map(([key, ts]) => [
              key,
              [...ts].sort((a, b) => a - b).map((t) => ({ t, value: t % 7 })),
            ]),
          ),
        ),
      );
      const expected = new Map<string, Set<number>>();
      for (const times of list)
        for (const [key, ts] of Object.entries(times))
          expected.set(key, new Set([...(expected.get(key) ?? []), ...ts]));
      const { disk, report } = await merge(blocks);
      if (expected.size === 0) {
        expect(report.outputs).toEqual([undefined]);
        return;
      }
      const { series } = await readTestBlock(disk, `out/${OUT}`);
      expect(Object.keys(series).sort()).toEqual([...expected.keys()].sort());
      for (const [key, times] of expected)
        expect(series[key]).toEqual([...times].sort((a, b) => a - b).map((t) => [t, t % 7]));
    }),
    { numRuns: 60 },
  );
});

test('damage anywhere in a block is the fault of that block, and leaves no output', async () => {
  const blocks = [
    block(1, 0, 10_000, { '{"a":"1"}': ramp(0, 300) }),
    block(2, 0, 10_000, { '{"a":"2"}': ramp(0, 300) }),
  ];
  let faults = 0;
  for (const file of ['index', 'chunks/000001', 'meta.json']) {
    const pristine = new MemoryDisk();
    for (const one of blocks) await writeTestBlock(pristine, 'in', one);
    const path = `in/${testUlid(2)}/${file}`;
    const good = await pristine.readFile(path);
    const end = file === 'index' ? good.length : Math.min(good.length, 400);
    for (let at = 0; at < end; at += 13) {
      const bad = good.slice();
      bad[at] ^= 0x41;
      await pristine.writeFileAtomic(path, bad);
      try {
        await mergeBlocks({
          disk: pristine,
          inputs: blocks.map(({ ulid }) => ({ dir: `in/${ulid}`, replica: 0 })),
          dir: 'out',
          ulids: [OUT],
          dedup: 'one-to-one',
          thanosOf: () => undefined,
        });
      } catch (error) {
        expect(error).toBeInstanceOf(BlockFault);
        expect((error as BlockFault).ulid).toBe(testUlid(2));
        expect(await pristine.list('out')).toEqual([]);
        faults++;
      }
      await pristine.remove('out');
    }
  }
  expect(faults).toBeGreaterThan(30);
});

test('a missing chunk file is the fault of its block', async () => {
  const disk = new MemoryDisk();
  await writeTestBlock(disk, 'in', block(1, 0, 10_000, { '{"a":"1"}': ramp(0, 300) }));
  await disk.remove(`in/${testUlid(1)}/chunks/000001`);
  const request = { disk, dir: 'out', ulids: [OUT], dedup: 'one-to-one', thanosOf: () => undefined } as const;
  await expect(
    mergeBlocks({ ...request, inputs: [{ dir: `in/${testUlid(1)}`, replica: 0 }] }),
  ).rejects.toThrow(/block 01HF.*000001.*chunks\/000001: missing/);
});

test('a chunk that does not decode although its checksum is good is the fault of its block', async () => {
  const disk = new MemoryDisk();
  const good = block(1, 0, 10_000, { '{"a":"1"}': ramp(0, 300) });
  await writeTestBlock(disk, 'in', good);
  const bad = testUlid(2);
  const writer = await BlockWriter.create({ disk, dir: 'in', ulid: bad });
  const data = new Uint8Array(40).fill(0xff);
  data.set([0, 100]);
  await writer.addSeries(encodeLabels(Labels.from({ a: '1' })), [{ mint: 5, maxt: 900, encoding: 1, data }]);
  await writer.finish({ minTime: 0, maxTime: 10_000, compaction: { level: 1, sources: [bad] } });
  const inputs = [good.ulid, bad].map((ulid) => ({ dir: `in/${ulid}`, replica: 0 }));
  const request = { disk, dir: 'out', ulids: [OUT], dedup: 'one-to-one', thanosOf: () => undefined } as const;
  await expect(mergeBlocks({ ...request, inputs })).rejects.toMatchObject({ ulid: bad, code: 'corrupt' });
});

test('where one replica is followed its chunks stay as they are', async () => {
  const shifted = ramp(30, 300, 5000);
  const blocks = [
    block(1, 0, 10_000, { '{"a":"1"}': ramp(0, 300) }),
    block(2, 0, 10_000, { '{"a":"1"}': shifted }),
  ];
  const { disk, report } = await merge(blocks, { dedup: 'penalty' }, [0, 1]);
  const { series, chunks } = await readTestBlock(disk, `out/${OUT}`);
  expect(series['{"a":"1"}']).toEqual(ramp(0, 300).map(({ t, value }) => [t, value]));
  expect([chunks, report.samplesRead]).toEqual([3, 600]);
});
