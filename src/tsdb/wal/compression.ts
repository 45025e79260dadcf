import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { snappyCompress, snappyDecompress } from '../../kernel/bytes-kernel.ts';
import { VeronaError } from '../../model/errors.ts';
import { type FramedRecord, SNAPPY_FLAG, ZSTD_FLAG } from './framing.ts';

export type WalCompression = 'none' | 'snappy' | 'zstd';

/** No record decodes to more than this; a length that claims more is damage. */
export const RECORD_BYTES_MAX = 256 * 1024 * 1024;

/** Compresses a record into memory of its own; it stays as it is (copied) when compression gains nothing. */
export function compressRecord(record: Uint8Array, compression: WalCompression): FramedRecord {
  if (compression !== 'none' && record.length > 0) {
    const data = compression === 'snappy' ? snappyCompress(record) : zstdCompressSync(record);
    if (data.length < record.length)
      return { flags: compression === 'snappy' ? SNAPPY_FLAG : ZSTD_FLAG, data };
  }
  return { flags: 0, data: record.slice() };
}

/** The record's own bytes; throws `corrupt`. */
export function decompressRecord({ flags, data }: FramedRecord): Uint8Array {
  if (flags === 0) return data;
  try {
    if (flags === SNAPPY_FLAG) return snappyDecompress(data, RECORD_BYTES_MAX);
    if (flags === ZSTD_FLAG) return zstdDecompressSync(data, { maxOutputLength: RECORD_BYTES_MAX });
  } catch (cause) {
    throw new VeronaError('corrupt', `decompress record: ${(cause as Error).message}`, { cause });
  }
  throw new VeronaError('corrupt', `unknown compression flags ${flags}`);
}
