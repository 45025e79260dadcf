import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type BlockLayout, blockRef } from '../blocks/layout.ts';
import { BlocksByTime } from './blocks-by-time.ts';
import { chooseBlocks } from './choose-blocks.ts';

const HOUR_MS = 3_600_000;

/** A block over some of the two-hour blocks, as a compaction or a downsampling makes it; its time need not be that of all. */
const made = fc.record({
  first: fc.nat(20),
  count: fc.integer({ min: 1, max: 6 }),
  resolutionMs: fc.constantFrom(0, 0, 300_000, HOUR_MS),
  level: fc.integer({ min: 2, max: 4 }),
  lacks: fc.boolean(),
  startsLate: fc.constantFrom(0, 0, 17_000),
});

test('what is chosen of the blocks around a query is what is chosen of all', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(24), { maxLength: 20 }),
      fc.array(made, { maxLength: 12 }),
      fc.integer({ min: -HOUR_MS, max: 52 * HOUR_MS }),
      fc.nat(10 * HOUR_MS),
      fc.constantFrom(0, 300_000, HOUR_MS),
      fc.boolean(),
      (small, joined, mint, length, maxMs, preferRaw) => {
        const blocks = [
          ...small.map((i) => blockOf(`B${i}`, 2 * i, 2 * i + 2, [`B${i}`])),
          ...joined.map(({ first, count, lacks, startsLate, ...more }, i) => {
            const sources = Array.from({ length: count }, (_, k) => `B${first + k}`);
            const used = lacks && count > 1 ? sources.slice(1) : sources;
            return blockOf(`J${i}`, 2 * first, 2 * (first + count), used, { ...more, startsLate });
          }),
        ].sort((a, b) => a.meta.mint - b.meta.mint);
        const wish = { maxMs, preferRaw };
        const show = (from: typeof blocks) =>
          chooseBlocks(from, mint, mint + length, new Set(['B3']), wish).map(
            (part) => `${part.block.meta.ulid} ${part.mint} ${part.maxt}`,
          );
        const around = new BlocksByTime(blocks).around(mint, mint + length);
        expect(show(around).sort()).toEqual(show(blocks).sort());
      },
    ),
    { numRuns: 500 },
  );
});

test('a query of an hour looks at the blocks of its hour only', () => {
  const blocks = Array.from({ length: 500 }, (_, i) => blockOf(`B${i}`, 2 * i, 2 * i + 2, [`B${i}`]));
  const known = new BlocksByTime(blocks);
  expect(known.around(401 * HOUR_MS, 402 * HOUR_MS - 1).map(({ meta }) => meta.ulid)).toEqual(['B200']);
  expect(known.around(401 * HOUR_MS, 402 * HOUR_MS).map(({ meta }) => meta.ulid)).toEqual(['B200', 'B201']);
  expect(known.around(2000 * HOUR_MS, 3000 * HOUR_MS)).toEqual([]);
});

function blockOf(
  ulid: string,
  fromHour: number,
  toHour: number,
  sources: readonly string[],
  { resolutionMs = 0, level = 1, startsLate = 0 } = {},
) {
  const layout: BlockLayout = 'tenant';
  const meta = {
    ulid,
    mint: fromHour * HOUR_MS + startsLate,
    maxt: toHour * HOUR_MS,
    level,
    sources,
    seriesCount: 1,
    chunkCount: 1,
    labels: {},
    resolutionMs,
    files: [],
    appliedDeletions: [],
  };
  return {
    ref: blockRef('acme', ulid, layout),
    meta,
    sizes: new Map<string, number>(),
    uploadedMs: 0,
    marks: {},
  };
}
