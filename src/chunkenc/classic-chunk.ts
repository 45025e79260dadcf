import { decodeChunk } from './chunk.ts';
import { ChunkEncoding, holdsStartTimes } from './encoding.ts';
import { HistogramAppender } from './histogram-chunk.ts';
import { XorAppender } from './xor.ts';

export interface EncodedChunk {
  readonly encoding: number;
  /** The payload after the encoding byte. */
  readonly data: Uint8Array;
}

/**
 * The same samples in an encoding that every reader knows, without start timestamps: for programs that know neither XOR2
 * nor histograms with them. Other chunks are returned as they are. Throws `corrupt`.
 */
export function classicChunk(chunk: EncodedChunk): EncodedChunk {
  if (!holdsStartTimes(chunk.encoding)) return chunk;
  const decoded = decodeChunk(chunk.encoding, chunk.data, 0, chunk.data.length);
  if (decoded.kind === 'float') {
    const out = new XorAppender();
    for (let i = 0; i < decoded.timestamps.length; i++) out.append(decoded.timestamps[i], decoded.values[i]);
    return { encoding: out.encoding, data: out.bytes().slice() };
  }
  const isInteger = chunk.encoding === ChunkEncoding.histogramST;
  const classic = isInteger ? ChunkEncoding.histogram : ChunkEncoding.floatHistogram;
  return { encoding: classic, data: HistogramAppender.encode(classic, decoded).bytes().slice() };
}
