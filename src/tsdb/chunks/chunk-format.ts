import { crc32c } from '../../encoding/crc32c.ts';
import { VeronaError } from '../../model/errors.ts';
import { ByteReader, be32At } from '../format/byte-reader.ts';
import type { ByteWriter } from '../format/byte-writer.ts';

/**
 * A file of chunks, in a block or in `chunks_head/`: a header of 8 bytes, then entries.
 *
 *   header   ┌──────────┬───────────┬──────────┐     magic 0x85BD40DD in blocks, 0x0130BC91 in chunks_head
 *            │ magic 4B │ version 1 │ zeros 3B │
 *            └──────────┴───────────┴──────────┘
 *   block    ┌──────────────────┬─────────────┬──────┬───────────┐   CRC32C of encoding and data
 *   entry    │ length uvarint   │ encoding 1B │ data │ CRC32C 4B │
 *            └──────────────────┴─────────────┴──────┴───────────┘
 *   head     ┌───────────────┬─────────┬─────────┬─────────────┬────────────────┬──────┬───────────┐
 *   entry    │ series ref 8B │ mint 8B │ maxt 8B │ encoding 1B │ length uvarint │ data │ CRC32C 4B │
 *            └───────────────┴─────────┴─────────┴─────────────┴────────────────┴──────┴───────────┘
 *                                                  CRC32C of everything before it in the entry
 *
 * `length` is that of data. A chunk ref is sequence · 2³² + offset of the entry. Blocks count files from 0 in refs and
 * from 1 in names. In a head entry the encoding's high bit marks a chunk of out-of-order samples.
 */
export const CHUNK_FILE_HEADER_BYTES = 8;
export const BLOCK_CHUNKS_MAGIC = 0x85bd40dd;
export const HEAD_CHUNKS_MAGIC = 0x0130bc91;
export const OUT_OF_ORDER_BIT = 0x80;

const REF_FILE = 0x1_0000_0000;
const HEAD_FIXED_BYTES = 25;
const VARINT_BYTES_MAX = 5;
/** So much is read at the beginning of a block's entry; chunks of floats are rarely longer. */
export const CHUNK_READ_BYTES = 1024;
/** A longer chunk is damage. */
const CHUNK_BYTES_MAX = 256 * 1024 * 1024;

/** One chunk's payload, and its encoding byte without the out-of-order bit. */
export interface StoredChunk {
  readonly encoding: number;
  readonly data: Uint8Array;
}

export interface HeadChunk extends StoredChunk {
  /** The series' number in the write-ahead log. */
  readonly seriesRef: number;
  /** ms, inclusive. */
  readonly mint: number;
  readonly maxt: number;
  readonly isOutOfOrder: boolean;
}

export type ChunkFolder = 'block' | 'head';

/** The name of the file that refs with this sequence point into. */
export function chunkFileName(folder: ChunkFolder, sequence: number): string {
  return String(folder === 'block' ? sequence + 1 : sequence).padStart(6, '0');
}

export function chunkRef(sequence: number, offset: number): number {
  return sequence * REF_FILE + offset;
}

export function refSequence(ref: number): number {
  return Math.floor(ref / REF_FILE);
}

export function refOffset(ref: number): number {
  return ref % REF_FILE;
}

export function encodeFileHeader(magic: number): Uint8Array {
  const header = new Uint8Array(CHUNK_FILE_HEADER_BYTES);
  new DataView(header.buffer).setUint32(0, magic);
  header[4] = 1;
  return header;
}

/** Throws `corrupt` unless these bytes begin a chunk file of this kind, version 1. */
export function checkFileHeader(header: Uint8Array, magic: number, path: string): void {
  const reader = new ByteReader(header);
  if (header.length < CHUNK_FILE_HEADER_BYTES)
    throw new VeronaError('corrupt', `${path}: file header cut off`);
  const found = reader.be32();
  if (found !== magic)
    throw new VeronaError('corrupt', `${path}: bad magic number ${found.toString(16)} at 0`);
  const version = reader.byte();
  if (version !== 1) throw new VeronaError('corrupt', `${path}: unknown version ${version} at 4`);
}

export function encodeBlockChunk(out: ByteWriter, chunk: StoredChunk): void {
  out.uvarint(chunk.data.length);
  const start = out.length;
  out.byte(chunk.encoding);
  out.bytes(chunk.data);
  out.be32(crc32c(out.view(start)));
}

export function encodeHeadChunk(out: ByteWriter, chunk: HeadChunk): void {
  const start = out.length;
  out.be64(chunk.seriesRef);
  out.be64(chunk.mint);
  out.be64(chunk.maxt);
  out.byte(chunk.encoding | (chunk.isOutOfOrder ? OUT_OF_ORDER_BIT : 0));
  out.prefixed(chunk.data);
  out.be32(crc32c(out.view(start)));
}

/** Bytes of a file as the decoders here need them: fewer than asked for only at its end. */
export interface FileBytes {
  readonly path: string;
  read(start: number, length: number): Uint8Array;
  /** Where bytes stay in memory, whether the entry read last, which begins at `start`, is known to have the right checksum. */
  isChecked?(start: number): boolean;
  setChecked?(start: number, end: number): void;
}

/** The entry at `offset` of a block's chunk file; the data are a view. Throws `corrupt`. */
export function readBlockChunk(file: FileBytes, offset: number): StoredChunk & { readonly end: number } {
  const head = file.read(offset, CHUNK_READ_BYTES);
  // Most entries are in there as a whole: one read, no objects but the result.
  let length = head[0] & 127;
  if (head[0] >= 128) length += head[1] << 7;
  const start = head[0] < 128 ? 1 : 2;
  const end = start + 1 + length;
  if (end + 4 > head.length || head[start - 1] >= 128) return readLongChunk(file, offset);
  if (!file.isChecked?.(offset)) {
    if (crc32c(head, start, end) !== be32At(head, end)) return readLongChunk(file, offset);
    file.setChecked?.(offset, offset + end + 4);
  }
  return { encoding: head[start], data: head.subarray(start + 1, end), end: offset + end + 4 };
}

function readLongChunk(file: FileBytes, offset: number): StoredChunk & { readonly end: number } {
  const { length, lengthBytes } = readLength(file, offset, 0);
  const start = offset + lengthBytes;
  const entry = readEntry(file, offset, start, 1 + length);
  return { encoding: entry[0], data: entry.subarray(1, 1 + length), end: start + entry.length };
}

/** The entry at `offset` of a file in `chunks_head/`; the data are a view. Throws `corrupt`. */
export function readHeadChunk(file: FileBytes, offset: number): HeadChunk & { readonly end: number } {
  const { length, lengthBytes } = readLength(file, offset, HEAD_FIXED_BYTES);
  const dataStart = HEAD_FIXED_BYTES + lengthBytes;
  const entry = readEntry(file, offset, offset, dataStart + length);
  const reader = new ByteReader(entry);
  const seriesRef = reader.be64();
  const mint = reader.be64Signed();
  const maxt = reader.be64Signed();
  const encoding = reader.byte();
  return {
    seriesRef,
    mint,
    maxt,
    encoding: encoding & ~OUT_OF_ORDER_BIT,
    isOutOfOrder: (encoding & OUT_OF_ORDER_BIT) !== 0,
    data: entry.subarray(dataStart, dataStart + length),
    end: offset + entry.length,
  };
}

function readLength(
  file: FileBytes,
  offset: number,
  before: number,
): { length: number; lengthBytes: number } {
  const bytes = file.read(offset + before, VARINT_BYTES_MAX);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    length += (bytes[i] & 127) * 2 ** (7 * i);
    if (bytes[i] < 128) {
      if (length > CHUNK_BYTES_MAX) break;
      return { length, lengthBytes: i + 1 };
    }
  }
  throw new VeronaError('corrupt', `${file.path}: no chunk length at ${offset + before}`);
}

/** Reads `length` bytes and the checksum of them that follows; returns both. */
function readEntry(file: FileBytes, offset: number, start: number, length: number): Uint8Array {
  const entry = file.read(start, length + 4);
  if (entry.length < length + 4) throw new VeronaError('corrupt', `${file.path}: chunk cut off at ${offset}`);
  if (crc32c(entry, 0, length) !== be32At(entry, length))
    throw new VeronaError('corrupt', `${file.path}: bad chunk checksum at ${offset}`);
  return entry;
}
