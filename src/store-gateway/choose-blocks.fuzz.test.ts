import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shardOf } from '../blocks/shard-label.ts';
import {
  type History,
  HOUR,
  HOURS,
  hasSeries,
  histories,
  RESOLUTIONS,
  run,
  SERIES,
  type Source,
  WISHES,
} from './block-history.fuzz.ts';
import { chooseBlocks, type HasMeta, type ResolutionWish } from './choose-blocks.ts';

/** What is really in a block in an hour: sources, each with a series. */
function contents({ sources }: History, { meta }: HasMeta, hour: number): string[] {
  if (hour * HOUR < meta.mint || hour * HOUR >= meta.maxt) return [];
  return meta.sources.flatMap((source) => {
    const { from, to } = sources.get(source) as Source;
    if (hour < from || hour >= to) return [];
    return Array.from({ length: SERIES }, (_, series) => series)
      .filter((series) => hasSeries(shardOf(meta.labels), series))
      .map((series) => `${source} ${hour} ${series}`);
  });
}

/** Whether any choice of blocks has everything that there is of an hour, nothing of it twice but in raw ones. */
function canBeWhole(history: History, hour: number, maxMs: number): boolean {
  const able = history.blocks
    .filter(({ meta }) => meta.resolutionMs <= maxMs)
    .map((block) => ({
      isRaw: block.meta.resolutionMs === 0,
      samples: contents(history, block, hour),
    }));
  const all = new Set(able.flatMap(({ samples }) => samples));
  const coarse = able.filter(({ isRaw, samples }) => !isRaw && samples.length > 0);
  const tryFrom = (from: number, served: ReadonlySet<string>): boolean => {
    const fits = ({ samples }: { samples: string[] }) => samples.every((sample) => !served.has(sample));
    const raw = able.filter((block) => block.isRaw && fits(block)).flatMap(({ samples }) => samples);
    if (new Set([...served, ...raw]).size === all.size) return true;
    return coarse.some(
      (block, i) => i >= from && fits(block) && tryFrom(i + 1, new Set([...served, ...block.samples])),
    );
  };
  return tryFrom(0, new Set());
}

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
    fc.property(histories, fc.boolean(), (steps, saysTimes) => {
      const history = run(steps, saysTimes);
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

test('where blocks say when their sources are, an answer is whole in each hour in which any choice of blocks is', () => {
  fc.assert(
    fc.property(histories, (steps) => {
      const history = run(steps, true);
      for (const maxMs of RESOLUTIONS) {
        const found = counts(history, { maxMs });
        for (let hour = 0; hour < HOURS + 3; hour++) {
          const present = history.blocks
            .filter(({ meta }) => meta.resolutionMs <= maxMs)
            .flatMap((block) => contents(history, block, hour));
          const missing = present.filter((sample) => !found.has(sample));
          if (missing.length > 0 && canBeWhole(history, hour, maxMs))
            expect([maxMs, hour, missing]).toEqual([maxMs, hour, []]);
        }
      }
    }),
    { numRuns: 2000 },
  );
});
