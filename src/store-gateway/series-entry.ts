import { crc32c } from '../encoding/crc32c.ts';
import { VeronaError } from '../model/errors.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';

const TWO_32 = 2 ** 32;
const CRC_SIZE = 4;

/** Where one chunk of a block lies, and when. Times ms, inclusive. */
export interface ChunkMeta {
  readonly mint: number;
  readonly maxt: number;
  /** Segment file by number, from 0, and the offset in it. */
  readonly segment: number;
  readonly offset: number;
}

export interface SeriesEntry {
  /** Numbers of symbols: name, value, name, value … in the order of names. */
  readonly labelSymbols: readonly number[];
  /** Ordered by time, only those that touch the wanted range. */
  readonly chunks: readonly ChunkMeta[];
}

/** Bytes of the entry that begins with `bytes`. */
export function seriesEntrySize(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes);
  const length = reader.uvarint();
  return reader.at + length + CRC_SIZE;
}

/**
 * Decodes a series of an index at the start of `bytes`, keeping chunks that touch mint … maxt (ms, inclusive):
 *
 *   uvarint length │ uvarint labels │ (uvarint name, uvarint value: symbols)… │ uvarint chunks │
 *      first chunk: varint mint │ uvarint maxt - mint │ uvarint reference
 *      others:      uvarint mint - previous maxt │ uvarint maxt - mint │ varint reference - previous │ crc32c 4
 *
 * Throws `corrupt`.
 */
export function decodeSeriesEntry(bytes: Uint8Array, mint: number, maxt: number): SeriesEntry {
  const prefix = new ByteReader(bytes);
  const length = prefix.uvarint();
  const start = prefix.at;
  if (length + CRC_SIZE > prefix.left)
    throw new VeronaError('corrupt', `series entry of ${length} bytes is cut off`);
  if (crc32c(bytes, start, start + length) !== new ByteReader(bytes, start + length).be32())
    throw new VeronaError('corrupt', 'bad checksum of a series entry');
  const reader = new ByteReader(bytes, start, start + length);
  return { labelSymbols: readLabels(reader), chunks: readChunks(reader, mint, maxt) };
}

function readLabels(reader: ByteReader): number[] {
  const count = reader.uvarint();
  if (count * 2 > reader.left) throw new VeronaError('corrupt', `${count} labels in ${reader.left} bytes`);
  const symbols: number[] = [];
  for (let i = 0; i < 2 * count; i++) symbols.push(reader.uvarint());
  return symbols;
}

function readChunks(reader: ByteReader, mint: number, maxt: number): ChunkMeta[] {
  const count = reader.uvarint();
  if (count * 3 > reader.left) throw new VeronaError('corrupt', `${count} chunks in ${reader.left} bytes`);
  const chunks: ChunkMeta[] = [];
  let lastMaxt = 0;
  let ref = 0;
  for (let i = 0; i < count; i++) {
    const chunkMint = i === 0 ? reader.varint() : lastMaxt + reader.uvarint();
    lastMaxt = chunkMint + reader.uvarint();
    ref = i === 0 ? reader.uvarint() : ref + reader.varint();
    if (!Number.isSafeInteger(ref) || ref < 0) throw new VeronaError('corrupt', `chunk reference ${ref}`);
    if (chunkMint <= maxt && lastMaxt >= mint)
      chunks.push({
        mint: chunkMint,
        maxt: lastMaxt,
        segment: Math.floor(ref / TWO_32),
        offset: ref % TWO_32,
      });
  }
  return chunks;
}
