import { crc32c } from '../../encoding/crc32c.ts';
import { VeronaError } from '../../model/errors.ts';
import { ByteReader } from '../format/byte-reader.ts';

/** Every so many entries of a table, the place of one is kept; between two of them entries are read one by one. */
export const SAMPLE_EVERY = 32;

/** Where the bytes of an index come from: a local file (through a cache), or something fetched before. */
export interface IndexBytes {
  readonly path: string;
  readonly sizeBytes: number;
  /** Bytes start … start + length, fewer at the end; valid until the next read. */
  read(start: number, length: number): Uint8Array;
  /** Makes the next reads of this range cheap; may do nothing. */
  prefetch(start: number, length: number): Promise<void>;
}

const BLOCK_BYTES = 1024 * 1024;

/**
 * Walks over the entries of a section (length 4B, count 4B, entries, CRC32C) block by block, verifying its checksum.
 * `entry` gets a reader at an entry and that entry's offset in the file, and reads the entry to its end.
 */
export async function walkSection(
  file: IndexBytes,
  offset: number,
  what: string,
  entry: (reader: ByteReader, at: number, i: number) => void,
): Promise<{ count: number; end: number }> {
  const head = new ByteReader(file.read(offset, 8).slice());
  if (head.left < 8) throw new VeronaError('corrupt', `${file.path}: ${what} cut off at ${offset}`);
  const end = offset + 4 + head.be32();
  const count = head.be32();
  if (end + 4 > file.sizeBytes || end < offset + 8)
    throw new VeronaError('corrupt', `${file.path}: ${what} at ${offset} leaves the file`);
  let sum = crc32c(head.bytes, 4, 8);
  let at = offset + 8;
  let wanted = BLOCK_BYTES;
  for (let i = 0; at < end; ) {
    const length = Math.min(wanted, end - at);
    await file.prefetch(at, length);
    const block = file.read(at, length);
    if (block.length < length) throw new VeronaError('corrupt', `${file.path}: ${what} cut off at ${at}`);
    const { used, entries } = walkBlock(
      block,
      at,
      i,
      count,
      entry,
      at + length === end,
      `${file.path}: ${what}`,
    );
    i += entries;
    sum = crc32c(block, 0, used, sum);
    at += used;
    // An entry larger than the block: try again with more of it.
    wanted = used === 0 ? wanted * 2 : BLOCK_BYTES;
    if (at === end && i !== count)
      throw new VeronaError('corrupt', `${file.path}: ${what} has ${i} entries instead of ${count}`);
  }
  if (new ByteReader(file.read(end, 4)).be32() !== sum)
    throw new VeronaError('corrupt', `${file.path}: bad checksum of ${what} at ${offset}`);
  return { count, end };
}

function walkBlock(
  block: Uint8Array,
  origin: number,
  first: number,
  count: number,
  entry: (reader: ByteReader, at: number, i: number) => void,
  isLast: boolean,
  what: string,
): { used: number; entries: number } {
  const reader = new ByteReader(block);
  let used = 0;
  let entries = 0;
  while (reader.left > 0) {
    try {
      if (first + entries >= count) throw new VeronaError('corrupt', `more than ${count} entries`);
      entry(reader, origin + used, first + entries);
    } catch (error) {
      // Cut by the block's end, not by the section's.
      if (!isLast && reader.left < block.length / 2) break;
      throw new VeronaError('corrupt', `${what} at ${origin + used}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    used = reader.at;
    entries++;
  }
  return { used, entries };
}
