import { compareStrings } from '../model/labels.ts';
import type { LabelRequest, Querier, ReadContext } from '../storage/querier.ts';
import { unitedSeries } from './series-union.ts';

/** Blocks asked at once: enough to wait for a bucket together, few enough that their lists are not held all at once. */
export const BLOCKS_AT_ONCE = 32;

/**
 * `all`, but that names and values of labels, and series without samples, are asked of its parts some at a time and joined as they
 * come: thousands of blocks say much the same.
 */
export function withJoinedLabels(all: Querier, parts: readonly Querier[]): Querier {
  if (parts.length <= 1) return all;
  return {
    select: (ctx, request) =>
      request.hints?.labelsOnly
        ? unitedSeries(parts, BLOCKS_AT_ONCE, ctx, request)
        : all.select(ctx, request),
    labelNames: (ctx, request) => joined(parts, ctx, request, (part) => part.labelNames(ctx, request)),
    labelValues: (ctx, name, request) =>
      joined(parts, ctx, request, (part) => part.labelValues(ctx, name, request)),
    exemplars: (ctx, sets, from, to) => all.exemplars(ctx, sets, from, to),
    get warnings() {
      return all.warnings;
    },
    close: () => all.close(),
  };
}

async function joined(
  parts: readonly Querier[],
  { signal }: ReadContext,
  { limit }: LabelRequest,
  ask: (part: Querier) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const texts = new Set<string>();
  let next = 0;
  const work = async () => {
    while (next < parts.length && !signal.aborted)
      for (const text of await ask(parts[next++])) texts.add(text);
  };
  await Promise.all(Array.from({ length: Math.min(BLOCKS_AT_ONCE, parts.length) }, work));
  const sorted = [...texts].sort(compareStrings);
  return limit > 0 ? sorted.slice(0, limit) : sorted;
}
