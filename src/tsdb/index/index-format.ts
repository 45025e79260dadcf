import { crc32c } from '../../encoding/crc32c.ts';
import { VeronaError, wrapError } from '../../model/errors.ts';
import type { FileBytes } from '../chunks/chunk-format.ts';
import { ByteReader, be32At } from '../format/byte-reader.ts';
import type { ByteWriter } from '../format/byte-writer.ts';

/**
 * The index of a block, version 2. Numbers are big endian; refs of symbols are their places in the sorted table, refs of
 * series are their offset / 16; every section and series entry ends in a CRC32C of what is between its length and it.
 *
 *   ┌─────────────────────────┬───────────┐
 *   │ magic 0xBAAAD700 4B     │ version 2 │
 *   ├─────────────────────────┴───────────┤
 *   │ symbols                             │  length 4B │ count 4B │ ( length uvarint │ bytes )… │ CRC
 *   ├─────────────────────────────────────┤
 *   │ series, each at a multiple of 16    │  length uvarint │ label count uvarint │ ( name ref │ value ref )… │
 *   │                                     │  chunk count │ mint varint │ maxt - mint │ ref │ ( mint - last maxt │
 *   │                                     │  maxt - mint │ ref - last ref varint )… │ CRC
 *   ├─────────────────────────────────────┤
 *   │ postings, each at a multiple of 4   │  length 4B │ count 4B │ series ref 4B … │ CRC
 *   ├─────────────────────────────────────┤
 *   │ label offset table (empty)          │  as the next, without entries; no reader needs it any more
 *   ├─────────────────────────────────────┤
 *   │ postings offset table               │  length 4B │ count 4B │ ( 2 │ name string │ value string │ offset uvarint )… │ CRC
 *   ├─────────────────────────────────────┤
 *   │ table of contents, 52 bytes         │  six offsets 8B │ CRC
 *   └─────────────────────────────────────┘
 */
export const INDEX_MAGIC = 0xbaaad700;
export const INDEX_VERSION = 2;
export const INDEX_HEADER_BYTES = 5;
export const TOC_BYTES = 52;
export const SERIES_ALIGN = 16;

/** Where the sections begin; 0: absent. */
export interface IndexToc {
  readonly symbols: number;
  readonly series: number;
  readonly labelIndices: number;
  readonly labelOffsetTable: number;
  readonly postings: number;
  readonly postingsOffsetTable: number;
}

export function encodeToc(out: ByteWriter, toc: IndexToc): void {
  const start = out.length;
  out.be64(toc.symbols);
  out.be64(toc.series);
  out.be64(toc.labelIndices);
  out.be64(toc.labelOffsetTable);
  out.be64(toc.postings);
  out.be64(toc.postingsOffsetTable);
  out.be32(crc32c(out.view(start)));
}

/** From the last 52 bytes of an index. Throws `corrupt`. */
export function decodeToc(bytes: Uint8Array, path: string): IndexToc {
  if (bytes.length !== TOC_BYTES) throw new VeronaError('corrupt', `${path}: no table of contents`);
  if (crc32c(bytes, 0, TOC_BYTES - 4) !== be32At(bytes, TOC_BYTES - 4))
    throw new VeronaError('corrupt', `${path}: bad checksum of the table of contents`);
  try {
    const reader = new ByteReader(bytes);
    return {
      symbols: reader.be64(),
      series: reader.be64(),
      labelIndices: reader.be64(),
      labelOffsetTable: reader.be64(),
      postings: reader.be64(),
      postingsOffsetTable: reader.be64(),
    };
  } catch (error) {
    throw wrapError(`${path}: table of contents`, error);
  }
}

/** Throws `corrupt` unless these are the first bytes of an index of version 2. */
export function checkIndexHeader(header: Uint8Array, path: string): void {
  const reader = new ByteReader(header);
  if (header.length < INDEX_HEADER_BYTES) throw new VeronaError('corrupt', `${path}: header cut off`);
  const magic = reader.be32();
  if (magic !== INDEX_MAGIC)
    throw new VeronaError('corrupt', `${path}: bad magic number ${magic.toString(16)} at 0`);
  const version = reader.byte();
  if (version !== INDEX_VERSION) throw new VeronaError('corrupt', `${path}: unknown version ${version} at 4`);
}

/** One series entry, decoded; reused from one to the next. Columns hold `labelCount` pairs and `chunkCount` chunks. */
export class SeriesEntry {
  labelCount = 0;
  /** Symbol refs: name, value, name, value … */
  labels = new Uint32Array(64);
  chunkCount = 0;
  mint = new Float64Array(64);
  maxt = new Float64Array(64);
  chunkRef = new Float64Array(64);

  reserve(labels: number, chunks: number): void {
    if (2 * labels > this.labels.length) this.labels = new Uint32Array(4 * labels);
    if (chunks <= this.mint.length) return;
    this.mint = new Float64Array(2 * chunks);
    this.maxt = new Float64Array(2 * chunks);
    this.chunkRef = new Float64Array(2 * chunks);
  }
}

/** Decodes what is between the length and the checksum of a series entry, bytes[start … end). Throws `corrupt` with the offset in `bytes`. */
export function decodeSeriesContent(
  bytes: Uint8Array,
  into: SeriesEntry,
  start = 0,
  end = bytes.length,
): void {
  const reader = new ByteReader(bytes, start, end);
  into.labelCount = reader.length();
  into.reserve(into.labelCount, 0);
  for (let i = 0; i < 2 * into.labelCount; i++) into.labels[i] = reader.uvarint();
  into.chunkCount = reader.length();
  into.reserve(0, into.chunkCount);
  let lastMaxt = 0;
  let lastRef = 0;
  for (let i = 0; i < into.chunkCount; i++) {
    // Negative where chunks overlap or are out of order, as some old writers left them.
    const mint = i === 0 ? reader.varint() : lastMaxt + reader.wrappedUvarint();
    lastMaxt = mint + reader.wrappedUvarint();
    lastRef += i === 0 ? reader.uvarint() : reader.varint();
    if (lastRef < 0) throw new VeronaError('corrupt', `negative chunk ref at ${reader.at}`);
    into.mint[i] = mint;
    into.maxt[i] = lastMaxt;
    into.chunkRef[i] = lastRef;
  }
}

/** Appends the chunk part of a series entry. Chunks are ordered and do not overlap. */
export function encodeChunkMetas(
  out: ByteWriter,
  count: number,
  mint: ArrayLike<number>,
  maxt: ArrayLike<number>,
  ref: ArrayLike<number>,
): void {
  out.uvarint(count);
  for (let i = 0; i < count; i++) {
    if (i === 0) out.varint(mint[0]);
    else out.uvarint(mint[i] - maxt[i - 1]);
    out.uvarint(maxt[i] - mint[i]);
    if (i === 0) out.uvarint(ref[0]);
    else out.varint(ref[i] - ref[i - 1]);
  }
}

/** The content of the length-prefixed section at `offset`, checksum verified. Throws `corrupt`. */
export function readSection(file: FileBytes, offset: number, what: string): Uint8Array {
  const head = file.read(offset, 4);
  if (head.length < 4) throw new VeronaError('corrupt', `${file.path}: ${what} cut off at ${offset}`);
  const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
  return readChecked(file, offset + 4, length, what);
}

/** `length` bytes at `start`, verified against the CRC32C after them. Throws `corrupt`. */
export function readChecked(file: FileBytes, start: number, length: number, what: string): Uint8Array {
  const bytes = file.read(start, length + 4);
  if (bytes.length < length + 4)
    throw new VeronaError('corrupt', `${file.path}: ${what} cut off at ${start}`);
  if (crc32c(bytes, 0, length) !== be32At(bytes, length))
    throw new VeronaError('corrupt', `${file.path}: bad checksum of ${what} at ${start}`);
  return bytes.subarray(0, length);
}
