import { BatchBuilder } from '../storage/batch-builder.ts';
import { emptyQuerier } from '../storage/empty-querier.ts';
import { LinkedSignal } from '../storage/linked-signal.ts';
import { mergeQueriers } from '../storage/merge.ts';
import type { Querier, ReadContext, SelectRequest } from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { LabelSets } from './label-sets.ts';

/** Memory for label bytes of one request. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The series of many parts without their samples, sorted: `partsAtOnce` are read at a time, and what they have in common is held
 * once. A merge holds a piece of every part, and compares each series of it with those of others: for 1,000 series of 360 blocks
 * that was a third of the CPU and most of the memory. Where there are more series than may be held, the parts that are left
 * are merged with them.
 */
export async function* unitedSeries(
  parts: readonly Querier[],
  partsAtOnce: number,
  ctx: ReadContext,
  request: SelectRequest,
  heldBytesMax = HELD_BYTES_MAX,
): AsyncGenerator<SeriesBatch> {
  const sets = new LabelSets();
  const left = await collect(sets, parts, partsAtOnce, ctx, request, () => sets.sizeBytes < heldBytesMax);
  if (left.length === 0) yield* inOrder(sets);
  else yield* mergeQueriers([heldSeries(sets), ...left]).select(ctx, request);
}

/** Adds the series of parts as long as there is room; the parts that have more of them. The first failure ends it. */
async function collect(
  sets: LabelSets,
  parts: readonly Querier[],
  partsAtOnce: number,
  ctx: ReadContext,
  request: SelectRequest,
  hasRoom: () => boolean,
): Promise<readonly Querier[]> {
  const left = new Set(parts);
  const signal = new LinkedSignal(ctx.signal);
  let next = 0;
  const add = async (part: Querier) => {
    for await (const batch of part.select({ ...ctx, signal }, request)) {
      sets.addAll(batch);
      if (!hasRoom()) return;
    }
    left.delete(part);
  };
  const work = async () => {
    while (next < parts.length && hasRoom() && !signal.aborted) await add(parts[next++]);
  };
  const workers = Array.from({ length: Math.min(partsAtOnce, parts.length) }, work);
  try {
    await Promise.all(workers);
  } catch (error) {
    signal.abort(error);
    await Promise.allSettled(workers);
    throw error;
  } finally {
    signal.unlink();
  }
  return [...left];
}

function heldSeries(sets: LabelSets): Querier {
  return { ...emptyQuerier([]), select: () => inOrder(sets) };
}

async function* inOrder(sets: LabelSets): AsyncGenerator<SeriesBatch> {
  const builder = new BatchBuilder();
  for (const labelBytes of sets.sorted()) {
    builder.addSeries(labelBytes);
    if (builder.isFull) yield builder.take();
  }
  if (!builder.isEmpty) yield builder.take();
}
