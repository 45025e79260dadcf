import { VeronaError } from '../model/errors.ts';
import { ChunkEncoding } from './encoding.ts';
import { decodeHistogramChunk, HISTOGRAM_ST_SAMPLES_MAX, type HistogramColumns } from './histogram-chunk.ts';
import { decodeXor, type FloatColumns } from './xor.ts';
import { decodeXor2 } from './xor2.ts';

/** A chunk being written; `append` differs by kind (`XorAppender`, `HistogramAppender`). */
export interface ChunkAppender {
  readonly encoding: ChunkEncoding;
  readonly count: number;
  readonly byteLength: number;
  /** Time of the newest sample, ms; only with `count` > 0. */
  readonly lastTime: number;
  /** The payload after the encoding byte. A view, valid until the next append. */
  bytes(): Uint8Array;
}

export type DecodedChunk =
  | ({ readonly kind: 'float' } & FloatColumns)
  | ({ readonly kind: 'histogram' } & HistogramColumns);

/** The samples of the chunk at bytes[start … start + length). Throws `corrupt` with the offset inside the chunk. */
export function decodeChunk(
  encoding: number,
  bytes: Uint8Array,
  start: number,
  length: number,
): DecodedChunk {
  switch (encoding) {
    case ChunkEncoding.xor:
      return { kind: 'float', ...decodeXor(bytes, start, length) };
    case ChunkEncoding.xor2:
      return { kind: 'float', ...decodeXor2(bytes, start, length) };
    case ChunkEncoding.histogram:
    case ChunkEncoding.floatHistogram:
    case ChunkEncoding.histogramST:
    case ChunkEncoding.floatHistogramST:
      return { kind: 'histogram', ...decodeHistogramChunk(encoding, bytes, start, length) };
    default:
      throw new VeronaError('corrupt', `unknown chunk encoding ${encoding}`);
  }
}

/** How many samples a chunk says it has, without decoding it; an aggregate chunk as many as its first part, the counts. */
export function storedSampleCount(encoding: number, bytes: Uint8Array, start: number): number {
  if (encoding !== ChunkEncoding.aggregate) return sampleCount(encoding, bytes, start);
  if (bytes[start] === 0) return 0;
  let at = start;
  while (bytes[at] >= 128) at++;
  return sampleCount(bytes[at + 1], bytes, at + 2);
}

function sampleCount(encoding: number, bytes: Uint8Array, start: number): number {
  const count = (bytes[start] << 8) | bytes[start + 1];
  const sharesByte = encoding === ChunkEncoding.histogramST || encoding === ChunkEncoding.floatHistogramST;
  return sharesByte ? count & HISTOGRAM_ST_SAMPLES_MAX : count;
}
