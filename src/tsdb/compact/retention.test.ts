import { expect, test } from 'vitest';
import type { BlockMeta } from '../block/meta.ts';
import { blocksToDrop } from './retention.ts';

function block(minTime: number, sizeBytes: number): { meta: BlockMeta; sizeBytes: number } {
  const meta: BlockMeta = {
    ulid: String(minTime),
    minTime,
    maxTime: minTime + 10,
    version: 1,
    stats: { numSamples: 0, numSeries: 0, numChunks: 0 },
    compaction: { level: 1, sources: [] },
  };
  return { meta, sizeBytes };
}

const BLOCKS = [block(20, 100), block(0, 100), block(10, 100), block(30, 100)];

test.each([
  ['nothing without limits', 0, 0, 1000, []],
  ['what ended before the retention time', 15, 0, 40, [0, 10]],
  ['the oldest until the rest fits, the log counted', 0, 250, 40, [0, 10]],
  ['by both', 25, 300, 40, [0, 10]],
  ['all but the newest', 1, 0, 1000, [0, 10, 20]],
])('retention drops %s', (_, retentionMs, retentionBytes, now, dropped) => {
  const doomed = blocksToDrop(BLOCKS, { retentionMs, retentionBytes }, now, 50);
  expect(doomed.map(({ meta }) => meta.minTime)).toEqual(dropped);
});
