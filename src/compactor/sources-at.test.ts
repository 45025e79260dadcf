import { expect, test } from 'vitest';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { blockRef } from '../blocks/layout.ts';
import type { BlockMeta } from '../blocks/meta.ts';
import { planDownsampling } from './plan-downsampling.ts';
import { expiredBlocks } from './retention.ts';
import { SourcesAt } from './sources-at.ts';

const HOUR = 3_600_000;
const RULES = { fiveMinutesAfterMs: HOUR, oneHourAfterMs: 0 };
const QUARANTINE = { timeMs: 0, reason: 'damaged', details: '', hidden: true };

function block(
  ulid: string,
  resolutionMs: number,
  sources: string[],
  labels: Record<string, string> = {},
  marks: BucketBlock['marks'] = {},
): BucketBlock {
  const meta: BlockMeta = {
    ulid,
    mint: 0,
    maxt: 2 * HOUR,
    level: 2,
    sources,
    seriesCount: 1,
    chunkCount: 1,
    labels,
    resolutionMs,
    files: [],
    appliedDeletions: [],
  };
  return { ref: blockRef('t', ulid), meta, sizes: new Map(), uploadedMs: 0, marks };
}

const shard = (i: number) => ({ __compactor_shard_id__: `${i}_of_2` });

function downsampled(blocks: readonly BucketBlock[]): string[] {
  const plan = {
    garbage: [],
    jobs: [],
    overlapping: [],
    settled: blocks.filter(({ meta }) => meta.resolutionMs === 0),
  };
  return planDownsampling('t', blocks, plan, RULES, 100 * HOUR).map((job) => job.blocks[0].ref.ulid);
}

test('a shard is there when its own sources are, in its shard or in blocks of all series', () => {
  const one = new SourcesAt([block('X', 5, ['A'], shard(1))], 5);
  expect(one.hold(block('R1', 0, ['A'], shard(1)).meta)).toBe(true);
  expect(one.hold(block('R2', 0, ['A'], shard(2)).meta)).toBe(false);
  expect(one.hold(block('R', 0, ['A']).meta)).toBe(false);
  const both = new SourcesAt([block('X', 5, ['A'], shard(1)), block('Y', 5, ['A', 'B'], shard(2))], 5);
  expect(both.hold(block('R', 0, ['A']).meta)).toBe(true);
  expect(both.hold(block('R', 0, ['A', 'B']).meta)).toBe(false);
  expect(new SourcesAt([block('X', 5, ['A'])], 5).hold(block('R2', 0, ['A'], shard(2)).meta)).toBe(true);
});

test('a block is not downsampled again when its coarser one was joined with that of another replica', () => {
  const raw = block('R', 0, ['A'], { replica: 'a' });
  expect(downsampled([raw])).toEqual(['R']);
  expect(downsampled([raw, block('J', 300_000, ['A', 'B'])])).toEqual([]);
});

test('what was made coarser in two blocks of the same time is made anew as one, once', () => {
  const joined = block('J', 0, ['A', 'L']);
  const apart = [block('X', 300_000, ['A']), block('Y', 300_000, ['L'])];
  expect(downsampled([joined, ...apart])).toEqual(['J']);
  expect(downsampled([joined, ...apart, block('Z', 300_000, ['A', 'L'])])).toEqual([]);
  // Beside a wider one that knows nothing of the late samples.
  const wide = block('W', 300_000, ['A', 'B']);
  const wider = { ...wide, meta: { ...wide.meta, maxt: 4 * HOUR } };
  expect(downsampled([joined, wider, block('Z', 300_000, ['A', 'L'])])).toEqual([]);
});

test('a block is downsampled again when the coarser one is damaged, and stays until then', () => {
  const raw = block('R', 0, ['A']);
  const bad = block('X', 300_000, ['A'], {}, { quarantine: QUARANTINE });
  const retention = { rawMs: HOUR, fiveMinutesMs: 0, oneHourMs: 0 };
  expect(downsampled([raw, bad])).toEqual(['R']);
  const held = (blocks: readonly BucketBlock[]) =>
    expiredBlocks(blocks, retention, 100 * HOUR, RULES).map((one) => one.held);
  expect(held([raw, bad])).toEqual([true]);
  expect(held([raw, block('X', 300_000, ['A'])])).toEqual([false]);
});

test('a shard stays until its own coarser block is there', () => {
  const retention = { rawMs: HOUR, fiveMinutesMs: 0, oneHourMs: 0 };
  const blocks = [
    block('R1', 0, ['A'], shard(1)),
    block('R2', 0, ['A'], shard(2)),
    block('X1', 300_000, ['A'], shard(1)),
  ];
  const expired = expiredBlocks(blocks, retention, 100 * HOUR, RULES);
  expect(expired.map((one) => [one.block.meta.ulid, one.held])).toEqual([
    ['R1', false],
    ['R2', true],
  ]);
});
