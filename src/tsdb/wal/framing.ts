import { crc32c } from '../../encoding/crc32c.ts';
import type { ByteWriter } from '../format/byte-writer.ts';

/**
 * A segment is a row of pages; a record lies in one page (full) or is split over following ones (first, middle …, last):
 *
 *   page of 32 KiB
 *   ┌───────────┬─────────────┬─────────────┬───────────┬─────┬──────────────┐
 *   │ flags     │ length 2B   │ CRC32C 4B   │ data      │ …   │ zeros, when  │
 *   │ 1B        │ of data, BE │ of data, BE │           │     │ nothing fits │
 *   └───────────┴─────────────┴─────────────┴───────────┴─────┴──────────────┘
 *   flags: bits 0–2 fragment type, bit 3 record is snappy, bit 4 record is zstd, bits 5–7 zero
 *
 * A fragment type of 0 says that the rest of the page is zeros. Compression covers the whole record, before splitting.
 */
export const PAGE_BYTES = 32 * 1024;
export const FRAGMENT_HEADER_BYTES = 7;

export const FragmentType = { pageEnd: 0, full: 1, first: 2, middle: 3, last: 4 } as const;
export const FRAGMENT_TYPE_MASK = 0x07;
export const SNAPPY_FLAG = 0x08;
export const ZSTD_FLAG = 0x10;

/** A record as it stands in the log: compression flags, and its bytes compressed accordingly. */
export interface FramedRecord {
  readonly flags: number;
  readonly data: Uint8Array;
}

/** Whether a record of `length` bytes, written at `offset`, ends before the segment does. */
export function fitsSegment(length: number, offset: number, segmentBytes: number): boolean {
  const pageData = PAGE_BYTES - FRAGMENT_HEADER_BYTES;
  const pagesAfter = Math.floor(segmentBytes / PAGE_BYTES) - Math.floor(offset / PAGE_BYTES) - 1;
  const hereLeft = PAGE_BYTES - (offset % PAGE_BYTES) - FRAGMENT_HEADER_BYTES;
  return length <= hereLeft + pageData * pagesAfter;
}

/** Appends the fragments of one record; `origin` is the segment offset of the writer's first byte. */
export function frameRecord(out: ByteWriter, origin: number, record: FramedRecord): void {
  const { data, flags } = record;
  let done = 0;
  do {
    const pageLeft = PAGE_BYTES - ((origin + out.length) % PAGE_BYTES) - FRAGMENT_HEADER_BYTES;
    const part = data.subarray(done, done + pageLeft);
    const isFirst = done === 0;
    done += part.length;
    out.byte(flags | fragmentType(isFirst, done === data.length));
    out.be16(part.length);
    out.be32(crc32c(part));
    out.bytes(part);
    if (PAGE_BYTES - ((origin + out.length) % PAGE_BYTES) < FRAGMENT_HEADER_BYTES)
      out.pad(PAGE_BYTES, origin);
  } while (done < data.length);
}

function fragmentType(isFirst: boolean, isLast: boolean): number {
  if (isFirst) return isLast ? FragmentType.full : FragmentType.first;
  return isLast ? FragmentType.last : FragmentType.middle;
}
