import { expect, test } from 'vitest';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { blockRef } from '../blocks/layout.ts';
import { chooseBlocks } from './choose-blocks.ts';

function block(
  ulid: string,
  mint: number,
  maxt: number,
  more: Partial<BucketBlock['meta']> = {},
): BucketBlock {
  const meta = {
    ulid,
    mint,
    maxt,
    level: 1,
    sources: [ulid],
    seriesCount: 1,
    chunkCount: 1,
    labels: {},
    resolutionMs: 0,
    files: [],
    appliedDeletions: [],
    ...more,
  };
  return { ref: blockRef('acme', ulid), meta, sizes: new Map(), uploadedMs: 0, marks: {} };
}

const names = (blocks: readonly BucketBlock[], mint = 0, maxt = 100, local: string[] = []) =>
  chooseBlocks(blocks, mint, maxt, new Set(local)).map(({ block }) => block.meta.ulid);

test('blocks are chosen by time; their end is exclusive, the range inclusive', () => {
  const blocks = [block('A', 0, 10), block('B', 10, 20)];
  expect(names(blocks, 0, 9)).toEqual(['A']);
  expect(names(blocks, 10, 10)).toEqual(['B']);
  expect(names(blocks, 9, 10)).toEqual(['A', 'B']);
  expect(names(blocks, 20, 30)).toEqual([]);
});

test('a block is left out when it, or all it was made of, is local', () => {
  const compacted = block('C', 0, 20, { level: 2, sources: ['A', 'B'] });
  expect(names([block('A', 0, 10), block('D', 0, 10)], 0, 100, ['A'])).toEqual(['D']);
  expect(names([compacted], 0, 100, ['A', 'B', 'X'])).toEqual([]);
  expect(names([compacted], 0, 100, ['A'])).toEqual(['C']);
  expect(names([block('E', 0, 10, { sources: [] })], 0, 100, [])).toEqual(['E']);
});

test('blocks that another one was compacted from are left out', () => {
  const compacted = block('C', 0, 20, { level: 2, sources: ['A', 'B'] });
  expect(names([block('A', 0, 10), block('B', 10, 20), compacted, block('D', 20, 30)])).toEqual(['C', 'D']);
  const larger = block('E', 0, 30, { level: 3, sources: ['A', 'B', 'D'] });
  expect(names([compacted, larger, block('D', 20, 30)])).toEqual(['E']);
});

test('of blocks with the same sources one stays', () => {
  const twice = (ulid: string, level: number) => block(ulid, 0, 20, { level, sources: ['A', 'B'] });
  expect(names([twice('X', 2), twice('W', 2)])).toEqual(['W']);
  expect(names([twice('X', 3), twice('W', 2)])).toEqual(['X']);
});

test('a split of a block by time does not hide its other part', () => {
  const parts = [
    block('P', 0, 10, { level: 2, sources: ['A'] }),
    block('Q', 10, 20, { level: 2, sources: ['A'] }),
  ];
  expect(names(parts)).toEqual(['P', 'Q']);
});

test('downsampled blocks are not read', () => {
  expect(names([block('A', 0, 10), block('B', 0, 10, { resolutionMs: 300_000 })])).toEqual(['A']);
});

const HOUR = 3_600_000;
const coarse = (ulid: string, mint: number, maxt: number, sources: string[], resolutionMs: number) =>
  block(ulid, mint * HOUR, maxt * HOUR, { sources, resolutionMs });

test('the coarsest allowed blocks are read, and finer ones where these have gaps', () => {
  const blocks = [
    coarse('A', 0, 10, ['a'], 0),
    coarse('B', 10, 20, ['b'], 0),
    coarse('C', 20, 30, ['c'], 0),
    coarse('A5', 0, 10, ['a'], 300_000),
    coarse('B5', 10, 20, ['b'], 300_000),
    coarse('A60', 0, 10, ['a'], HOUR),
  ];
  const read = (maxMs: number, preferRaw = false) =>
    chooseBlocks(blocks, 0, 100 * HOUR, new Set(), { maxMs, preferRaw }).map(({ block: b }) => b.meta.ulid);
  expect(read(0)).toEqual(['A', 'B', 'C']);
  expect(read(300_000)).toEqual(['A5', 'B5', 'C']);
  expect(read(HOUR)).toEqual(['A60', 'B5', 'C']);
  expect(read(HOUR, true)).toEqual(['A', 'B', 'C']);
  expect(chooseBlocks(blocks.slice(3), 0, 1e9, new Set(), { maxMs: 300_000, preferRaw: true })).toHaveLength(
    2,
  );
});

const parts = (chosen: ReturnType<typeof chooseBlocks>) =>
  chosen.map(({ block: { meta }, mint, maxt }) => [meta.ulid, mint / HOUR, (maxt + 1) / HOUR]);

test('of a block that a coarser one covers in part, the rest is read', () => {
  const blocks = [
    coarse('R', 0, 30, ['a', 'b', 'c'], 0),
    coarse('A', 0, 10, ['a'], 0),
    coarse('C', 20, 30, ['c'], 0),
    coarse('B5', 10, 20, ['b'], 300_000),
  ];
  expect(parts(chooseBlocks(blocks, HOUR, 25 * HOUR, new Set(), { maxMs: 300_000 }))).toEqual([
    ['B5', 10, 20],
    ['R', 0, 10],
    ['R', 20, 30],
  ]);
  // A source that the coarser block lacks.
  const late = coarse('X', 10, 20, ['x'], 0);
  expect(parts(chooseBlocks([...blocks, late], HOUR, 25 * HOUR, new Set(), { maxMs: 300_000 }))).toEqual([
    ['R', 0, 30],
    ['X', 10, 20],
  ]);
});

test('a coarser block ends with a window where a finer one begins inside it', () => {
  const day = coarse('D60', 0, 24, ['a'], HOUR);
  const late = coarse('X', 10.25, 11.5, ['x'], 0);
  const raw = coarse('D', 0, 24, ['a'], 0);
  expect(parts(chooseBlocks([day, late, raw], 0, 25 * HOUR, new Set(), { maxMs: HOUR }))).toEqual([
    ['D60', 0, 10],
    ['D60', 12, 24],
    ['D', 10, 12],
    ['X', 10.25, 11.5],
  ]);
});

test('one shard of coarser samples does not stand in for another shard', () => {
  const shard = (ulid: string, of: string, resolutionMs: number) =>
    block(ulid, 0, 100, { sources: ['a'], resolutionMs, labels: { __compactor_shard_id__: of } });
  const blocks = [shard('R1', '1_of_2', 0), shard('R2', '2_of_2', 0), shard('F1', '1_of_2', 300_000)];
  const chosen = chooseBlocks(blocks, 0, 1000, new Set(), { maxMs: 300_000 });
  expect(chosen.map(({ block: { meta } }) => meta.ulid)).toEqual(['F1', 'R2']);
});

test('where a local block is, no coarser one is read that has anything of it', () => {
  const day = coarse('D5', 0, 10, ['a', 'b'], 300_000);
  const local = [{ mint: 5 * HOUR, maxt: 10 * HOUR, sources: ['b'] }];
  const chosen = chooseBlocks([day], 0, 1e9, new Set(['b']), { maxMs: 300_000 }, local);
  expect(parts(chosen)).toEqual([['D5', 0, 5]]);
});

test('shards that came before the rest of their set are not read while what they were made of is', () => {
  const [a, b] = [block('A', 0, 10), block('B', 10, 20)];
  const shard = (i: number, sources: string[]) =>
    block(`S${i}`, 0, 20, { level: 2, sources, labels: { __compactor_shard_id__: `${i}_of_2` } });
  expect(names([a, b, shard(1, ['A', 'B'])])).toEqual(['A', 'B']);
  expect(names([a, b, shard(1, ['A', 'B']), shard(2, ['A', 'B'])])).toEqual(['S1', 'S2']);
  // One of the sources is gone already: nothing of the shard may be left out.
  expect(names([a, shard(1, ['A', 'B'])])).toEqual(['A', 'S1']);
});

test('a block that was joined across a hole does not stand in for one that has something there', () => {
  const wide = coarse('W', 0, 40, ['A', 'B', 'C'], 300_000);
  const anew = coarse('N', 0, 30, ['A', 'X', 'C'], 300_000);
  const raw = [coarse('R', 0, 40, ['A', 'X', 'C'], 0), coarse('B', 10, 20, ['B'], 0)];
  expect(parts(chooseBlocks([wide, anew, ...raw], 0, 1e9, new Set(), { maxMs: 300_000 }))).toEqual([
    ['N', 0, 10],
    ['N', 20, 30],
    ['W', 30, 40],
    ['R', 10, 20],
    ['B', 10, 20],
  ]);
});
