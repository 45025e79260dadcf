import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { snappyCompress, snappyDecompress, snappyView } from '../../kernel/bytes-kernel.ts';
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

/** The record's own bytes, in memory of their own; throws `corrupt`. */
export function decompressRecord(record: FramedRecord): Uint8Array {
  return record.flags === 0 ? record.data.slice() : decompress(record, snappyDecompress);
}

/** The same bytes as a view: of `record.data`, or of the kernel's memory until that compresses or decompresses again. */
export function decompressView(record: FramedRecord): Uint8Array {
  return record.flags === 0 ? record.data : decompress(record, snappyView);
}

function decompress({ flags, data }: FramedRecord, snappy: typeof snappyView): Uint8Array {
  try {
    if (flags === SNAPPY_FLAG) return snappy(data, RECORD_BYTES_MAX);
    if (flags === ZSTD_FLAG) return zstdDecompressSync(data, { maxOutputLength: RECORD_BYTES_MAX });
  } catch (cause) {
    throw new VeronaError('corrupt', `decompress record: ${(cause as Error).message}`, { cause });
  }
  throw new VeronaError('corrupt', `unknown compression flags ${flags}`);
}
