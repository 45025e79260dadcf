import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shardOf } from '../blocks/shard-label.ts';
import {
  type History,
  HOUR,
  hasSeries,
  histories,
  run,
  SERIES,
  type Source,
  WISHES,
} from './block-history.fuzz.ts';
import { chooseBlocks, type ResolutionWish } from './choose-blocks.ts';

/** How often an answer counts each sample: raw ones that come twice are one, windows add up. */
function counts(history: History, wish: ResolutionWish): Map<string, number> {
  const found = new Map<string, number>();
  const raw = new Set<string>();
  for (const { block, mint, maxt } of chooseBlocks(history.blocks, 0, 1e9, new Set(), wish))
    for (const source of block.meta.sources) {
      const { from, to } = history.sources.get(source) as Source;
      for (let hour = from; hour < to; hour++)
        for (let series = 0; series < SERIES; series++) {
          if (hour * HOUR < mint || hour * HOUR > maxt || !hasSeries(shardOf(block.meta.labels), series))
            continue;
          const sample = `${source} ${hour} ${series}`;
          if (block.meta.resolutionMs === 0 && raw.has(sample)) continue;
          if (block.meta.resolutionMs === 0) raw.add(sample);
          found.set(sample, (found.get(sample) ?? 0) + 1);
        }
    }
  return found;
}

test('whatever was joined, split, made coarser and removed, no sample counts twice, and none is missing while all is there raw', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const history = run(steps);
      for (const wish of WISHES) {
        const found = counts(history, wish);
        for (const [sample, count] of found) expect([sample, count]).toEqual([sample, 1]);
        if (!history.isRawGone)
          for (const [source, { from, to }] of history.sources)
            expect([...found.keys()].filter((sample) => sample.startsWith(`${source} `))).toHaveLength(
              (to - from) * SERIES,
            );
      }
    }),
    { numRuns: 2000 },
  );
});
