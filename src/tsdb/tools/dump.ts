import { decodeChunk } from '../../chunkenc/chunk.ts';
import { decodeLabels } from '../../encoding/label-bytes.ts';
import { formatG, histogramText } from '../../model/histogram-text.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import type { Block } from '../block/block.ts';

export interface DumpRequest {
  readonly matchers: readonly Matcher[];
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  readonly signal: AbortSignal;
}

/** Every sample of a block as text, `{labels} value time` per line, in the order of labels and time; one string per batch. */
export async function* dumpBlock(block: Block, request: DumpRequest): AsyncGenerator<string> {
  const { matchers, mint, maxt, signal } = request;
  const querier = await block.querier(mint, maxt);
  try {
    for await (const batch of querier.select({ signal }, { matchers, mint, maxt, sorted: true })) {
      const lines: string[] = [];
      for (let s = 0; s < batch.seriesCount; s++) dumpSeries(batch, s, request, lines);
      if (lines.length > 0) yield lines.join('');
    }
  } finally {
    await querier.close();
  }
}

function dumpSeries(batch: SeriesBatch, s: number, { mint, maxt }: DumpRequest, lines: string[]): void {
  const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[s], batch.labelOffsets[s + 1]).toString();
  for (let c = batch.chunkStarts[s]; c < batch.chunkStarts[s + 1]; c++) {
    const chunk = decodeChunk(
      batch.chunkEncoding[c],
      batch.chunkData,
      batch.chunkDataOffset[c],
      batch.chunkDataLength[c],
    );
    for (const [i, t] of chunk.timestamps.entries())
      if (t >= mint && t <= maxt) {
        const value = chunk.kind === 'float' ? formatG(chunk.values[i]) : histogramText(chunk.histograms[i]);
        lines.push(`${labels} ${value} ${t}\n`);
      }
  }
}
