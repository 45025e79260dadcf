import { decodeChunk } from '../../chunkenc/chunk.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import type { Interval } from '../block/tombstones.ts';
import { type ChunkPiece, RareSeries, type RareValue } from './rare-series.ts';

/**
 * The samples of a chunk between mint and maxt (inclusive) that are in none of the `deleted` stretches, as new chunks;
 * the chunk itself when that is all of them. Throws `corrupt`.
 */
export function clipChunk(
  chunk: ChunkPiece,
  mint: number,
  maxt: number,
  deleted: readonly Interval[],
): ChunkPiece[] {
  const isCut = deleted.some((interval) => interval.mint <= chunk.maxt && interval.maxt >= chunk.mint);
  if (!isCut && chunk.mint >= mint && chunk.maxt <= maxt) return [chunk];
  const samples = decodeSamples(chunk).filter(
    ({ t }) =>
      t >= mint && t <= maxt && !deleted.some((interval) => t >= interval.mint && t <= interval.maxt),
  );
  return encodeSamples(samples);
}

/** One chunk's worth of time and value. */
export interface AnySample {
  readonly t: number;
  readonly value: RareValue;
  /** ms; 0 or absent when unknown. */
  readonly startT?: number;
}

export function decodeSamples(chunk: ChunkPiece): AnySample[] {
  const decoded = decodeChunk(chunk.encoding, chunk.bytes, 0, chunk.bytes.length);
  const values: ArrayLike<number | AnyHistogram> =
    decoded.kind === 'float' ? decoded.values : decoded.histograms;
  const { startTimes } = decoded;
  return Array.from(decoded.timestamps, (t, i) =>
    startTimes ? { t, value: values[i], startT: startTimes[i] } : { t, value: values[i] },
  );
}

/** Chunks of samples that ascend in time. */
export function encodeSamples(samples: readonly AnySample[]): ChunkPiece[] {
  const chunks: ChunkPiece[] = [];
  const hasStartTimes = samples.some(({ startT = 0 }) => startT !== 0);
  const series = new RareSeries(
    Number.MAX_SAFE_INTEGER,
    Number.NEGATIVE_INFINITY,
    (chunk) => chunks.push(chunk),
    hasStartTimes,
  );
  for (const { t, value, startT } of samples) series.append(t, value, startT);
  series.close();
  return chunks;
}

/** Overlapping chunks as chunks that do not overlap; for equal times the later chunk of `chunks` wins. */
export function mergeChunks(chunks: readonly ChunkPiece[]): ChunkPiece[] {
  const byTime = new Map<number, AnySample>();
  for (const chunk of chunks) for (const sample of decodeSamples(chunk)) byTime.set(sample.t, sample);
  return encodeSamples([...byTime.values()].sort((a, b) => a.t - b.t));
}
