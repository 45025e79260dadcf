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
  chooseBlocks(blocks, mint, maxt, new Set(local)).map(({ meta }) => meta.ulid);

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
