import { encodeLabels } from '../../encoding/label-bytes.ts';
import type { Labels } from '../../model/labels.ts';
import { BatchBuilder } from '../batch-builder.ts';
import type { SeriesBatch } from '../series-batch.ts';

/** A series for each label set, with one chunk whose time and only byte are its number. */
export async function* numberedSeries(
  sets: readonly Labels[],
  perBatch: number,
): AsyncGenerator<SeriesBatch> {
  const builder = new BatchBuilder(perBatch);
  for (const [i, labels] of sets.entries()) {
    builder.addSeries(encodeLabels(labels));
    builder.addChunk(i, i, 1, Uint8Array.of(i));
    if (builder.isFull) yield builder.take();
  }
  if (!builder.isEmpty) yield builder.take();
}
