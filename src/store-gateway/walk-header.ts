import { crc32c } from '../encoding/crc32c.ts';
import { VeronaError } from '../model/errors.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';
import type { ByteRange } from './ranges.ts';

/** The entries of one label name in the postings table. */
export interface NamePlaces {
  /** How many values it has. */
  readonly count: number;
  /** Number of its first entry among the sampled ones. */
  readonly firstSample: number;
}

/** The contents of an index-header's sections, and where the postings lists end in the index. */
export interface HeaderLayout {
  readonly postingsEnd: number;
  readonly symbols: ByteRange;
  readonly table: ByteRange;
}

/** Told of everything in an index-header in its order. Places are offsets in it. */
export interface HeaderVisitor {
  symbol(number: number, place: number): void;
  /** The next entries are of this label. */
  name(name: string): void;
  /** An entry of the postings table, and where its list begins in the index. */
  entry(place: number, list: number): void;
}

export const HEADER_MAGIC = 0xbaaad792;
export const HEADER_VERSION = 1;
export const INDEX_VERSION = 2;
export const HEADER_SIZE = 14;
export const HEADER_TOC_SIZE = 20;

/** Verifies the checksums of an index-header. Throws `corrupt`. */
export function checkHeader(bytes: Uint8Array): HeaderLayout {
  const head = new ByteReader(bytes);
  if (head.be32() !== HEADER_MAGIC) throw new VeronaError('corrupt', 'no index-header');
  if (head.byte() !== HEADER_VERSION || head.byte() !== INDEX_VERSION)
    throw new VeronaError('corrupt', 'unknown version');
  const postingsEnd = head.be64();
  const tocStart = bytes.length - HEADER_TOC_SIZE;
  if (tocStart < HEADER_SIZE) throw new VeronaError('corrupt', 'cut off');
  const toc = new ByteReader(bytes, tocStart);
  const [symbols, table] = [toc.be64(), toc.be64()];
  if (crc32c(bytes, tocStart, tocStart + 16) !== toc.be32())
    throw new VeronaError('corrupt', 'bad checksum of the contents');
  return { postingsEnd, symbols: section(bytes, symbols, tocStart), table: section(bytes, table, tocStart) };
}

/** The content of a section at `start`: between its length and its checksum, which is checked. */
function section(bytes: Uint8Array, start: number, end: number): ByteRange {
  const reader = new ByteReader(bytes, Math.min(start, end), end);
  const length = reader.be32();
  if (length > reader.left - 4)
    throw new VeronaError('corrupt', `section of ${length} bytes at ${start} is cut off`);
  const content = { start: reader.at, end: reader.at + length };
  reader.skip(length);
  if (crc32c(bytes, content.start, content.end) !== reader.be32())
    throw new VeronaError('corrupt', `bad checksum of the section at ${start}`);
  return content;
}

/** Tells how many symbols there are, and where the last entry of the table ends. Throws `corrupt`. */
export function walkHeader(
  bytes: Uint8Array,
  { postingsEnd, symbols, table }: HeaderLayout,
  visitor: HeaderVisitor,
): { readonly symbolCount: number; readonly tableEnd: number } {
  const symbolCount = walkSymbols(bytes, symbols, visitor);
  return { symbolCount, tableEnd: walkTable(bytes, table, postingsEnd, visitor) };
}

function walkSymbols(bytes: Uint8Array, { start, end }: ByteRange, visitor: HeaderVisitor): number {
  const reader = new ByteReader(bytes, start, end);
  const count = reader.be32();
  if (count > reader.left) throw new VeronaError('corrupt', `${count} symbols in ${reader.left} bytes`);
  for (let i = 0; i < count; i++) {
    visitor.symbol(i, reader.at);
    reader.skip(reader.length());
  }
  return count;
}

function walkTable(
  bytes: Uint8Array,
  { start, end }: ByteRange,
  postingsEnd: number,
  visitor: HeaderVisitor,
): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const reader = new ByteReader(bytes, start, end);
  const count = reader.be32();
  // An entry has at least four bytes.
  if (count * 4 > reader.left)
    throw new VeronaError('corrupt', `${count} postings lists in ${reader.left} bytes`);
  let nameStart = -1;
  let nameLength = 0;
  for (let i = 0; i < count; i++) {
    const place = reader.at;
    if (reader.byte() !== 2) throw new VeronaError('corrupt', `postings list ${i} has not two keys`);
    const length = reader.length();
    const { at } = reader;
    reader.skip(length);
    const isSame =
      nameStart >= 0 && buffer.compare(buffer, nameStart, nameStart + nameLength, at, at + length) === 0;
    if (!isSame) {
      nameStart = at;
      nameLength = length;
      visitor.name(buffer.toString('utf8', at, at + length));
    }
    reader.skip(reader.length());
    const list = reader.uvarint();
    if (list >= postingsEnd) throw new VeronaError('corrupt', `postings list ${i} at ${list}`);
    visitor.entry(place, list);
  }
  return reader.at;
}
