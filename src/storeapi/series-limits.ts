import { storedSampleCount } from '../chunkenc/chunk.ts';
import { VeronaError } from '../model/errors.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';

/** What one Series call may answer; 0 is no limit. */
export interface SeriesLimits {
  readonly seriesMax: number;
  /** Samples that the chunks of an answer hold, those outside the time asked for included. */
  readonly samplesMax: number;
}

export const NO_SERIES_LIMITS: SeriesLimits = { seriesMax: 0, samplesMax: 0 };

/** Batches as they come, until there are more series or samples than allowed: then `limit`, with the name of the limit. */
export async function* limitedSeries(
  batches: AsyncIterable<SeriesBatch>,
  { seriesMax, samplesMax }: SeriesLimits,
): AsyncGenerator<SeriesBatch> {
  let series = 0;
  let samples = 0;
  for await (const batch of batches) {
    series += batch.seriesCount;
    if (seriesMax > 0) check(series, seriesMax, 'series', 'max_series_per_store_request');
    if (samplesMax > 0) {
      samples += samplesIn(batch);
      check(samples, samplesMax, 'samples', 'max_samples_per_store_request');
    }
    yield batch;
  }
}

function check(found: number, max: number, what: string, setting: string): void {
  if (found > max)
    throw new VeronaError(
      'limit',
      `the request selects ${found} ${what} or more, ${max} are allowed (limits.${setting}); narrow its matchers or its time`,
    );
}

function samplesIn({ chunkEncoding, chunkData, chunkDataOffset }: SeriesBatch): number {
  let samples = 0;
  for (let c = 0; c < chunkEncoding.length; c++)
    samples += storedSampleCount(chunkEncoding[c], chunkData, chunkDataOffset[c]);
  return samples;
}
