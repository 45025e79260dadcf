import { crc32c } from '../encoding/crc32c.ts';
import { VeronaError } from '../model/errors.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';

/**
 * Series references of one postings list at the start of `bytes`, ascending:
 * `length 4 │ count 4 │ reference 4 … │ crc32c 4`, big endian. Throws `corrupt`.
 */
export function decodePostings(bytes: Uint8Array): Uint32Array {
  const reader = new ByteReader(bytes);
  const length = reader.be32();
  if (length > reader.left - 4)
    throw new VeronaError('corrupt', `postings list of ${length} bytes is cut off`);
  const contentStart = reader.at;
  const count = reader.be32();
  if (4 + count * 4 !== length) throw new VeronaError('corrupt', `${count} postings in ${length} bytes`);
  const refs = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    refs[i] = reader.be32();
    if (i > 0 && refs[i] <= refs[i - 1]) throw new VeronaError('corrupt', `postings not ascending at ${i}`);
  }
  if (crc32c(bytes, contentStart, contentStart + length) !== reader.be32())
    throw new VeronaError('corrupt', 'bad checksum of a postings list');
  return refs;
}

/** Bytes of the list that begins with `bytes`. */
export function postingsSize(bytes: Uint8Array): number {
  return 4 + new ByteReader(bytes).be32() + 4;
}
