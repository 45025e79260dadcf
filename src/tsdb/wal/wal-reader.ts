import type { Disk } from '../../platform/disk.ts';
import { decompressRecord } from './compression.ts';
import { PAGE_BYTES } from './framing.ts';
import { type FoundRecord, PageScanner } from './page-scanner.ts';
import { listSegments, type WalSegment } from './segments.ts';

/** Pages read at once. */
const READ_PAGES = 32;

/** Records of one stretch of a segment; `offsets[i]` is where record `i` begins in the segment. The arrays are the caller's. */
export interface WalBatch {
  readonly segment: number;
  readonly records: readonly Uint8Array[];
  readonly offsets: readonly number[];
}

/** Part of a segment that could not be read. */
export interface WalDamage {
  readonly segment: number;
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly reason: string;
  /** A write cut short by a crash at the very end of the segment: nothing acknowledged as durable is in it. */
  readonly torn: boolean;
  /** Set when nothing in this segment is damaged but segments from this one up to it are missing. */
  readonly missingFrom?: number;
}

export interface WalRange {
  /** First and last segment, inclusive. */
  readonly from?: number;
  readonly to?: number;
}

/**
 * Streams the records of a log in order. Damage does not end it: it goes on with the next page or segment, and says in
 * `damages` what was missed. Errors of the disk are thrown as they are.
 */
export class WalReader {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #range: WalRange;
  readonly damages: WalDamage[] = [];

  constructor(disk: Disk, dir: string, range: WalRange = {}) {
    this.#disk = disk;
    this.#dir = dir;
    this.#range = range;
  }

  async *batches(): AsyncGenerator<WalBatch> {
    const { from = 0, to = Number.POSITIVE_INFINITY } = this.#range;
    let expected: number | undefined;
    for (const segment of await listSegments(this.#disk, this.#dir)) {
      if (segment.index < from || segment.index > to) continue;
      if (expected !== undefined && segment.index !== expected) this.#reportGap(segment, expected);
      expected = segment.index + 1;
      for await (const found of scanSegment(this.#disk, segment, this.damages))
        yield this.#decompress(segment, found);
    }
  }

  #decompress(segment: WalSegment, found: readonly FoundRecord[]): WalBatch {
    const records: Uint8Array[] = [];
    const offsets: number[] = [];
    for (const record of found)
      try {
        records.push(decompressRecord(record));
        offsets.push(record.offset);
      } catch (error) {
        const end = record.offset + record.data.length;
        const { message } = error as Error;
        this.damages.push({ ...where(segment), start: record.offset, end, reason: message, torn: false });
      }
    return { segment: segment.index, records, offsets };
  }

  #reportGap(segment: WalSegment, expected: number): void {
    const reason = `segments ${expected} to ${segment.index - 1} are missing`;
    this.damages.push({ ...where(segment), start: 0, end: 0, reason, torn: false, missingFrom: expected });
  }
}

/** The records of one segment as they stand there, one array per read; appends what cannot be read to `damages`. */
export async function* scanSegment(
  disk: Disk,
  segment: WalSegment,
  damages: WalDamage[],
): AsyncGenerator<readonly FoundRecord[]> {
  const file = await disk.open(segment.path, 'read');
  try {
    const scanner = new PageScanner();
    let offset = 0;
    for (;;) {
      const block = new Uint8Array(READ_PAGES * PAGE_BYTES);
      const length = await file.readAt(block, offset);
      for (let at = 0; at < length; at += PAGE_BYTES)
        scanner.scan(block.subarray(at, Math.min(at + PAGE_BYTES, length)), offset + at);
      offset += length;
      if (length < block.length) break;
      yield scanner.found.splice(0);
    }
    scanner.finish(offset);
    yield scanner.found.splice(0);
    for (const bad of scanner.bad) damages.push({ ...where(segment), ...bad });
  } finally {
    await file.close();
  }
}

function where(segment: WalSegment): { segment: number; path: string } {
  return { segment: segment.index, path: segment.path };
}
