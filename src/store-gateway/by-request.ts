import { formatDuration } from '../model/duration.ts';
import type { Querier, SelectHints, SelectRequest } from '../storage/querier.ts';
import { needsRaw } from '../tsdb/downsample/aggregate-of.ts';
import type { ChosenBlock, HasMeta, ResolutionWish } from './choose-blocks.ts';

/** Samples of a range at least, where there are fine enough ones: as many as `auto` takes of a step. */
const SAMPLES_PER_RANGE = 5;

/**
 * Queriers over the same blocks, of which each request is asked of the one with the resolution that suits it: raw data first for
 * functions that aggregates cannot answer, and samples at most a fifth of its range apart for a range, as long as there are any.
 * `resolutions` are those of the blocks (ms); `open` gives the querier of a wish and is called once for each.
 */
export function byRequest(
  wish: ResolutionWish,
  resolutions: ReadonlySet<number>,
  open: (wish: ResolutionWish) => Querier,
): Querier {
  const opened = new Map<number, Querier>();
  const openOnce = (bestMs: number) => {
    let querier = opened.get(bestMs);
    if (!querier) {
      querier = open({ ...wish, bestMs, preferRaw: bestMs === 0 });
      opened.set(bestMs, querier);
    }
    return querier;
  };
  const coarsest = (maxMs: number) => Math.max(0, ...[...resolutions].filter((ms) => ms <= maxMs));
  const bestMs = wish.bestMs ?? wish.maxMs;
  const any = openOnce(coarsest(bestMs));
  return {
    select: (ctx, request) => openOnce(coarsest(bestFor(bestMs, request.hints))).select(ctx, request),
    labelNames: (ctx, request) => any.labelNames(ctx, request),
    labelValues: (ctx, name, request) => any.labelValues(ctx, name, request),
    exemplars: (ctx, sets, from, to) => any.exemplars(ctx, sets, from, to),
    get warnings() {
      return [...opened.values()].flatMap(({ warnings }) => warnings);
    },
    close: async () => {
      for (const querier of opened.values()) await querier.close();
    },
  };
}

function bestFor(bestMs: number, { func = '', rangeMs = 0 }: SelectHints = {}): number {
  if (needsRaw(func)) return 0;
  return rangeMs > 0 ? Math.min(bestMs, rangeMs / SAMPLES_PER_RANGE) : bestMs;
}

/** A querier over chosen blocks that says when samples lie too far apart for a range, unless the wish is to be quiet. */
export function tellingShortRanges(
  querier: Querier,
  chosen: readonly ChosenBlock<HasMeta>[],
  { isQuiet = false }: ResolutionWish,
): Querier {
  const coarse = chosen.filter(({ block }) => block.meta.resolutionMs > 0);
  if (isQuiet || coarse.length === 0) return querier;
  const told = new Set<string>();
  return {
    select: (ctx, request) => {
      const distanceMs = distanceIn(coarse, request);
      const { func = '', rangeMs = 0 } = request.hints ?? {};
      const neededMs = func.endsWith('_over_time') ? distanceMs : 2 * distanceMs;
      if (rangeMs > 0 && rangeMs < neededMs) told.add(tooShort(func, rangeMs, distanceMs, neededMs));
      return querier.select(ctx, request);
    },
    labelNames: (ctx, request) => querier.labelNames(ctx, request),
    labelValues: (ctx, name, request) => querier.labelValues(ctx, name, request),
    exemplars: (ctx, sets, from, to) => querier.exemplars(ctx, sets, from, to),
    get warnings() {
      return told.size === 0 ? querier.warnings : [...querier.warnings, ...told];
    },
    close: () => querier.close(),
  };
}

function distanceIn(coarse: readonly ChosenBlock<HasMeta>[], { mint, maxt }: SelectRequest): number {
  const read = coarse.filter((part) => part.mint <= maxt && part.maxt >= mint);
  return Math.max(0, ...read.map(({ block }) => block.meta.resolutionMs));
}

function tooShort(func: string, rangeMs: number, distanceMs: number, neededMs: number): string {
  const [range, distance, needed] = [rangeMs, distanceMs, neededMs].map(formatDuration);
  return `${func || 'a range'} over ${range} reads samples ${distance} apart where there are no finer ones: there it takes a range of ${needed} or more`;
}
