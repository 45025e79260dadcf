import { decodeChunk } from '../../chunkenc/chunk.ts';
import { decodeLabels } from '../../encoding/label-bytes.ts';
import type { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { isStale } from '../../model/sample.ts';
import type { Queryable } from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import { isReset } from './histogram-arithmetic.ts';
import { type PlainHistogram, plainHistogram } from './plain-histogram.ts';
import type { Point } from './rows.ts';

export interface SourceSample {
  readonly t: number;
  readonly point: Point;
  /** When the counter began that it is of, ms; 0 is unknown. */
  readonly startT: number;
  /** The series ended before here. */
  readonly isStale: boolean;
}

export interface SourceSeries {
  readonly labels: Labels;
  /** Ordered by time. */
  readonly samples: readonly SourceSample[];
}

/** Every sample of every series of a storage, ordered by labels. */
export async function readEverything(source: Queryable): Promise<SourceSeries[]> {
  const matchers = [new Matcher('=~', '__name__', '.*')];
  const [mint, maxt] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  const querier = await source.querier(mint, maxt);
  const ctx = { signal: new AbortController().signal };
  const series: SourceSeries[] = [];
  for await (const batch of querier.select(ctx, { matchers, mint, maxt, sorted: true }))
    for (let i = 0; i < batch.seriesCount; i++)
      series.push({ labels: labelsOf(batch, i), samples: samplesOf(batch, i) });
  await querier.close();
  return series;
}

function labelsOf({ labelBytes, labelOffsets }: SeriesBatch, i: number): Labels {
  return decodeLabels(labelBytes, labelOffsets[i], labelOffsets[i + 1]);
}

function samplesOf(batch: SeriesBatch, i: number): SourceSample[] {
  const samples: SourceSample[] = [];
  for (let chunk = batch.chunkStarts[i]; chunk < batch.chunkStarts[i + 1]; chunk++) {
    const { chunkEncoding, chunkData, chunkDataOffset, chunkDataLength } = batch;
    const decoded = decodeChunk(
      chunkEncoding[chunk],
      chunkData,
      chunkDataOffset[chunk],
      chunkDataLength[chunk],
    );
    const starts = startTimesOf(batch, chunk) ?? decoded.startTimes;
    if (decoded.kind === 'float')
      for (const [k, t] of decoded.timestamps.entries())
        samples.push({
          t,
          point: decoded.values[k],
          startT: starts?.[k] ?? 0,
          isStale: isStale(decoded.values[k]),
        });
    else
      for (const [k, h] of decoded.histograms.entries())
        samples.push({
          t: decoded.timestamps[k],
          point: plainHistogram(h),
          startT: starts?.[k] ?? 0,
          isStale: isStale(h.sum),
        });
  }
  return samples;
}

/** Those that stand beside a chunk. */
function startTimesOf({ startTimes }: SeriesBatch, chunk: number): Float64Array | undefined {
  const own = startTimes?.values.subarray(startTimes.offsets[chunk], startTimes.offsets[chunk + 1]);
  return own?.length ? own : undefined;
}

/**
 * Samples as Prometheus reads them for `histogram_count` and the like: only count and sum, and whether there was a reset,
 * which is found while reading where the sample does not say it.
 */
export function statisticsOf(samples: readonly SourceSample[]): SourceSample[] {
  let previous: PlainHistogram | undefined;
  return samples.map((sample) => {
    const { point } = sample;
    if (typeof point === 'number' || sample.isStale) return sample;
    const before = previous;
    previous = point;
    const found = before === undefined ? 'unknown' : isReset(point, before) ? 'reset' : 'not_reset';
    const hint = point.hint === 'unknown' ? found : point.hint;
    const { schema, count, sum } = point;
    return { ...sample, point: { ...NOTHING, hint, schema, count, sum } };
  });
}

const NOTHING = { zeroThreshold: 0, zeroCount: 0, positive: new Map(), negative: new Map(), bounds: [] };
