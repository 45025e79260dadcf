import { expect, test } from 'vitest';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { blockRef } from '../blocks/layout.ts';
import { Relabeler } from '../model/relabel.ts';
import { BlockSelection } from './block-selection.ts';

const MINUTE_MS = 60_000;

function block(i: number, labels: Readonly<Record<string, string>> = {}): BucketBlock {
  const ulid = `01HF0000000000000000${String(i).padStart(6, '0')}`;
  const meta = {
    ulid,
    mint: i * MINUTE_MS,
    maxt: (i + 1) * MINUTE_MS,
    level: 1,
    sources: [ulid],
    seriesCount: 1,
    chunkCount: 1,
    labels,
    resolutionMs: 0,
    files: [],
    appliedDeletions: [],
  };
  return { ref: blockRef('acme', ulid), meta, sizes: new Map(), uploadedMs: 0, marks: {} };
}

const EVERYTHING = [() => Number.NEGATIVE_INFINITY, () => Number.POSITIVE_INFINITY] as const;

test('without rules and bounds the list is the same list', () => {
  const blocks = [block(1), block(2)];
  expect(new BlockSelection(new Relabeler([]), ...EVERYTHING).select(blocks)).toBe(blocks);
});

test('blocks are chosen by their external labels', () => {
  const blocks = [block(1, { cluster: 'a' }), block(2, { cluster: 'b' }), block(3)];
  const rules = new Relabeler([{ action: 'keep', sourceLabels: ['cluster'], regex: 'a|c' }]);
  expect(new BlockSelection(rules, ...EVERYTHING).select(blocks)).toEqual([blocks[0]]);
});

test('blocks divided by a hash of their name are each read by one of the instances', () => {
  const blocks = Array.from({ length: 60 }, (_, i) => block(i));
  const parts = ['0', '1', '2'].map((shard) => {
    const rules = new Relabeler([
      { action: 'hashmod', sourceLabels: ['__block_id'], targetLabel: 'shard', modulus: 3n },
      { action: 'keep', sourceLabels: ['shard'], regex: shard },
    ]);
    return new BlockSelection(rules, ...EVERYTHING).select(blocks);
  });
  expect(
    parts
      .flat()
      .map(({ meta }) => meta.mint)
      .sort((a, b) => a - b),
  ).toEqual(blocks.map(({ meta }) => meta.mint));
  for (const part of parts) expect(part.length).toBeGreaterThan(5);
});

test('a window that goes with the clock moves once a minute, and only then makes a new list', () => {
  let now = 10 * MINUTE_MS + 5000;
  const selection = new BlockSelection(
    new Relabeler([]),
    () => now - 4 * MINUTE_MS,
    () => now,
  );
  const blocks = Array.from({ length: 20 }, (_, i) => block(i));
  const first = selection.select(blocks);
  expect(first.map(({ meta }) => meta.mint / MINUTE_MS)).toEqual([6, 7, 8, 9, 10]);
  now += 20_000;
  expect(selection.select(blocks)).toBe(first);
  now += MINUTE_MS;
  expect(selection.select(blocks).map(({ meta }) => meta.mint / MINUTE_MS)).toEqual([7, 8, 9, 10, 11]);
});
