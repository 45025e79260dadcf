import { compareLabelBytes } from '../../storage/compare-label-bytes.ts';
import { BlockWriter } from '../block/block-writer.ts';
import type { BlockMeta } from '../block/meta.ts';
import { clipChunk, mergeChunks } from '../head/clip-chunk.ts';
import type { Head } from '../head/head.ts';
import type { LateChunks } from '../head/late-samples.ts';
import { nextTurn } from '../next-turn.ts';
import { addSeries, type BlockTarget, finishBlock } from './head-block.ts';

/** Prometheus' mark of blocks made from late samples: they say nothing of what the head still has in order. */
export const FROM_OUT_OF_ORDER = 'from-out-of-order';

/** The starts of the ranges of `rangeMs` that late samples fall into, ascending. */
export function rangesOf(late: LateChunks, rangeMs: number): number[] {
  const starts = new Set<number>();
  for (const chunks of late.values())
    for (const { mint, maxt } of chunks)
      for (let start = Math.floor(mint / rangeMs) * rangeMs; start <= maxt; start += rangeMs)
        starts.add(start);
  return [...starts].sort((a, b) => a - b);
}

/** Writes one block of late samples; it may overlap others. Undefined when there are none in its range. */
export async function writeLateBlock(
  head: Head,
  late: LateChunks,
  target: BlockTarget,
): Promise<BlockMeta | undefined> {
  const { mint } = target;
  const maxt = target.maxt - 1;
  const writer = await BlockWriter.create(target);
  try {
    let done = 0;
    for (const { labels, slot } of sortedSeries(head, late, mint, maxt)) {
      const chunks = (late.get(slot) ?? []).filter((chunk) => chunk.mint <= maxt && chunk.maxt >= mint);
      const deleted = head.deletions.of(slot) ?? [];
      const merged = mergeChunks(chunks).flatMap((chunk) => clipChunk(chunk, mint, maxt, deleted));
      await addSeries(writer, labels, merged, mint, maxt);
      if (++done % 64 === 0) await nextTurn();
    }
    return await finishBlock(writer, target, [FROM_OUT_OF_ORDER]);
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function sortedSeries(head: Head, late: LateChunks, mint: number, maxt: number) {
  const series: { labels: Uint8Array; slot: number }[] = [];
  for (const [slot, chunks] of late)
    if (chunks.some((chunk) => chunk.mint <= maxt && chunk.maxt >= mint))
      series.push({ slot, labels: head.store.memory.labelBytesOf(slot).slice() });
  return series.sort((a, b) => compareLabelBytes(a.labels, b.labels));
}
