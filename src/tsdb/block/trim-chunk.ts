import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { decodeHistogramChunk, HistogramAppender } from '../../chunkenc/histogram-chunk.ts';
import { decodeXor, XorAppender } from '../../chunkenc/xor.ts';
import { VeronaError } from '../../model/errors.ts';
import type { AnyHistogram, FloatHistogram, Histogram } from '../../model/histogram.ts';
import { assert } from '../../platform/assert.ts';
import type { StoredChunk } from '../chunks/chunk-format.ts';
import type { Interval } from './tombstones.ts';

/** The chunk without the samples in `deleted`, written anew. It may be left without samples. Throws `corrupt`. */
export function trimChunk(chunk: StoredChunk, deleted: readonly Interval[]): StoredChunk {
  const isKept = (t: number) => !deleted.some((gap) => t >= gap.mint && t <= gap.maxt);
  switch (chunk.encoding) {
    case ChunkEncoding.xor:
      return trimFloats(chunk, isKept);
    case ChunkEncoding.histogram:
      return trimHistograms(
        chunk,
        isKept,
        HistogramAppender.integer() as HistogramAppender<Histogram | FloatHistogram>,
      );
    case ChunkEncoding.floatHistogram:
      return trimHistograms(
        chunk,
        isKept,
        HistogramAppender.float() as HistogramAppender<Histogram | FloatHistogram>,
      );
    default:
      throw new VeronaError(
        'corrupt',
        `chunk encoding ${chunk.encoding} is unknown, deleted samples cannot be removed`,
      );
  }
}

function trimFloats({ data }: StoredChunk, isKept: (t: number) => boolean): StoredChunk {
  const { timestamps, values } = decodeXor(data, 0, data.length);
  const out = new XorAppender();
  for (let i = 0; i < timestamps.length; i++) if (isKept(timestamps[i])) out.append(timestamps[i], values[i]);
  return { encoding: ChunkEncoding.xor, data: out.bytes().slice() };
}

function trimHistograms(
  { encoding, data }: StoredChunk,
  isKept: (t: number) => boolean,
  out: HistogramAppender<AnyHistogram>,
): StoredChunk {
  const { timestamps, histograms } = decodeHistogramChunk(encoding as ChunkEncoding, data, 0, data.length);
  for (let i = 0; i < timestamps.length; i++)
    if (isKept(timestamps[i])) {
      const result = out.append(timestamps[i], histograms[i]);
      // What was one chunk has no counter reset and one layout; leaving samples out changes neither.
      assert(result !== 'new_chunk', 'a part of a histogram chunk fits into one chunk');
    }
  return { encoding, data: out.bytes().slice() };
}
