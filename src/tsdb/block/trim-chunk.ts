import { encodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { decodeChunk } from '../../chunkenc/chunk.ts';
import { ChunkEncoding, isFloatEncoding, isHistogramEncoding } from '../../chunkenc/encoding.ts';
import { decodeHistogramChunk, HistogramAppender } from '../../chunkenc/histogram-chunk.ts';
import { type FloatColumns, XorAppender } from '../../chunkenc/xor.ts';
import { Xor2Appender } from '../../chunkenc/xor2.ts';
import { VeronaError } from '../../model/errors.ts';
import type { StoredChunk } from '../chunks/chunk-format.ts';
import { cutAggregates } from '../downsample/cut-aggregates.ts';
import type { Interval } from './tombstones.ts';

/** The chunk without the samples in `deleted`, written anew. It may be left without samples. Throws `corrupt`. */
export function trimChunk(chunk: StoredChunk, deleted: readonly Interval[]): StoredChunk {
  const isKept = (t: number) => !deleted.some((gap) => t >= gap.mint && t <= gap.maxt);
  if (isFloatEncoding(chunk.encoding)) return trimFloats(chunk, isKept);
  if (isHistogramEncoding(chunk.encoding)) return trimHistograms(chunk, isKept);
  if (chunk.encoding === ChunkEncoding.aggregate) return trimAggregates(chunk, deleted);
  throw new VeronaError(
    'corrupt',
    `chunk encoding ${chunk.encoding} is unknown, deleted samples cannot be removed`,
  );
}

function trimAggregates({ encoding, data }: StoredChunk, deleted: readonly Interval[]): StoredChunk {
  const cut = cutAggregates({ mint: 0, maxt: 0, encoding, data }, deleted);
  return { encoding, data: cut?.data ?? encodeAggregates([]) };
}

function trimFloats({ encoding, data }: StoredChunk, isKept: (t: number) => boolean): StoredChunk {
  const { timestamps, values, startTimes } = decodeChunk(encoding, data, 0, data.length) as FloatColumns;
  const out = encoding === ChunkEncoding.xor2 ? new Xor2Appender() : new XorAppender();
  for (let i = 0; i < timestamps.length; i++) {
    if (!isKept(timestamps[i])) continue;
    if (out instanceof Xor2Appender) out.append(timestamps[i], values[i], startTimes?.[i]);
    else out.append(timestamps[i], values[i]);
  }
  return { encoding, data: out.bytes().slice() };
}

function trimHistograms({ encoding, data }: StoredChunk, isKept: (t: number) => boolean): StoredChunk {
  const decoded = decodeHistogramChunk(encoding as ChunkEncoding, data, 0, data.length);
  const kept = Array.from(decoded.timestamps.keys()).filter((i) => isKept(decoded.timestamps[i]));
  const trimmed = {
    header: decoded.header,
    timestamps: Float64Array.from(kept, (i) => decoded.timestamps[i]),
    histograms: kept.map((i) => decoded.histograms[i]),
    ...(decoded.startTimes && { startTimes: Float64Array.from(kept, (i) => decoded.startTimes![i]) }),
  };
  return {
    encoding,
    data: HistogramAppender.encode(encoding as ChunkEncoding, trimmed)
      .bytes()
      .slice(),
  };
}
