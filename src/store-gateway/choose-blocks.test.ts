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

test('the coarsest allowed blocks are read, and finer ones where these have gaps', () => {
  const coarse = (ulid: string, mint: number, maxt: number, sources: string[], resolutionMs: number) =>
    block(ulid, mint, maxt, { sources, resolutionMs });
  const blocks = [
    block('A', 0, 100, { sources: ['a'] }),
    block('B', 100, 200, { sources: ['b'] }),
    block('C', 200, 300, { sources: ['c'] }),
    coarse('A5', 0, 100, ['a'], 300_000),
    coarse('B5', 100, 200, ['b'], 300_000),
    coarse('A60', 0, 100, ['a'], 3_600_000),
  ];
  const read = (maxMs: number, preferRaw = false) =>
    chooseBlocks(blocks, 0, 1000, new Set(), { maxMs, preferRaw }).map(({ block: { meta } }) => meta.ulid);
  expect(read(0)).toEqual(['A', 'B', 'C']);
  expect(read(300_000)).toEqual(['A5', 'B5', 'C']);
  expect(read(3_600_000)).toEqual(['A60', 'B5', 'C']);
  expect(read(3_600_000, true)).toEqual(['A', 'B', 'C']);
  expect(chooseBlocks(blocks.slice(3), 0, 1000, new Set(), { maxMs: 300_000, preferRaw: true })).toHaveLength(
    2,
  );
});

test('of a block that a coarser one covers in part, the rest is read', () => {
  const raw = block('R', 0, 300, { sources: ['a', 'b', 'c'] });
  const coarse = block('B5', 100, 200, { sources: ['b'], resolutionMs: 300_000 });
  const other = block('X', 100, 200, { sources: ['x'] });
  const chosen = chooseBlocks([raw, coarse, other], 10, 250, new Set(), { maxMs: 300_000 });
  expect(chosen.map(({ block: { meta }, mint, maxt }) => [meta.ulid, mint, maxt])).toEqual([
    ['B5', 100, 199],
    ['R', 0, 99],
    ['R', 200, 299],
    ['X', 100, 199],
  ]);
});

test('one shard of coarser samples does not stand in for another shard', () => {
  const shard = (ulid: string, of: string, resolutionMs: number) =>
    block(ulid, 0, 100, { sources: ['a'], resolutionMs, labels: { __compactor_shard_id__: of } });
  const blocks = [shard('R1', '1_of_2', 0), shard('R2', '2_of_2', 0), shard('F1', '1_of_2', 300_000)];
  const chosen = chooseBlocks(blocks, 0, 1000, new Set(), { maxMs: 300_000 });
  expect(chosen.map(({ block: { meta } }) => meta.ulid)).toEqual(['F1', 'R2']);
});

test('where a local block is, no coarser one is read', () => {
  const day = block('D5', 0, 100, { sources: ['a', 'b'], resolutionMs: 300_000 });
  const local = [{ mint: 50, maxt: 100, sources: ['b'] }];
  const chosen = chooseBlocks([day], 0, 1000, new Set(['b']), { maxMs: 300_000 }, local);
  expect(chosen.map(({ mint, maxt }) => [mint, maxt])).toEqual([[0, 49]]);
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

test('of coarser blocks that overlap, the one made anew with late samples stands in for its time', () => {
  const wide = block('W', 0, 40, { resolutionMs: 5, sources: ['A', 'B'], level: 3 });
  const anew = block('N', 0, 20, { resolutionMs: 5, sources: ['A', 'X'], level: 2 });
  const chosen = chooseBlocks([wide, anew], 0, 100, new Set(), { maxMs: 5 });
  expect(chosen.map((one) => [one.block.meta.ulid, one.mint, one.maxt])).toEqual([
    ['N', 0, 19],
    ['W', 20, 39],
  ]);
});
