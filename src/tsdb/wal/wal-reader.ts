import type { Disk, DiskFile } from '../../platform/disk.ts';
import { decompressRecord, decompressView } from './compression.ts';
import { PAGE_BYTES } from './framing.ts';
import { type FoundRecord, PageScanner } from './page-scanner.ts';
import { listSegments, type WalSegment } from './segments.ts';

/** Bytes read at once. */
const READ_BYTES = 32 * PAGE_BYTES;

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
  /** First and last segment, inclusive. Segments missing after `from` are damage; without it the log begins where it begins. */
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
    for await (const { segment, found } of this.#stretches()) {
      const records: Uint8Array[] = [];
      const offsets: number[] = [];
      for (const framed of found) {
        const record = this.#decoded(segment, framed, decompressRecord);
        if (record === undefined) continue;
        records.push(record);
        offsets.push(framed.offset);
      }
      yield { segment: segment.index, records, offsets };
    }
  }

  /**
   * Calls `apply` for every record, and `pause` after some hundred KiB of them. The record is a view of memory that is
   * used again: valid until `apply` returns, or compresses or decompresses something itself.
   */
  async visit(
    apply: (record: Uint8Array, segment: number, offset: number) => void,
    pause: () => void,
  ): Promise<void> {
    for await (const { segment, found } of this.#stretches()) {
      for (const framed of found) {
        const record = this.#decoded(segment, framed, decompressView);
        if (record !== undefined) apply(record, segment.index, framed.offset);
      }
      pause();
    }
  }

  async *#stretches(): AsyncGenerator<{ segment: WalSegment; found: readonly FoundRecord[] }> {
    const { from = 0, to = Number.POSITIVE_INFINITY } = this.#range;
    let expected = this.#range.from;
    for (const segment of await listSegments(this.#disk, this.#dir)) {
      if (segment.index < from || segment.index > to) continue;
      if (expected !== undefined && segment.index !== expected) this.#reportGap(segment, expected);
      expected = segment.index + 1;
      for await (const found of scanSegment(this.#disk, segment, this.damages)) yield { segment, found };
    }
  }

  #decoded(
    segment: WalSegment,
    record: FoundRecord,
    decode: (record: FoundRecord) => Uint8Array,
  ): Uint8Array | undefined {
    try {
      return decode(record);
    } catch (error) {
      const end = record.offset + record.data.length;
      const { message } = error as Error;
      this.damages.push({ ...where(segment), start: record.offset, end, reason: message, torn: false });
      return undefined;
    }
  }

  #reportGap(segment: WalSegment, expected: number): void {
    const reason = `segments ${expected} to ${segment.index - 1} are missing`;
    this.damages.push({ ...where(segment), start: 0, end: 0, reason, torn: false, missingFrom: expected });
  }
}

/**
 * The records of one segment as they stand there, one array per read, while the next is read; their data are views of
 * memory that is used again for the next but one. Appends what cannot be read to `damages`.
 */
export async function* scanSegment(
  disk: Disk,
  segment: WalSegment,
  damages: WalDamage[],
): AsyncGenerator<readonly FoundRecord[]> {
  const file = await disk.open(segment.path, 'read');
  const scanner = new PageScanner();
  let [block, other] = [new Uint8Array(READ_BYTES), new Uint8Array(READ_BYTES)];
  let reading = readAhead(file, block, 0);
  try {
    for (let offset = 0; ; offset += READ_BYTES) {
      const length = await reading;
      const isLast = length < READ_BYTES;
      if (!isLast) reading = readAhead(file, other, offset + READ_BYTES);
      for (let at = 0; at < length; at += PAGE_BYTES)
        scanner.scan(block.subarray(at, Math.min(at + PAGE_BYTES, length)), offset + at);
      if (isLast) scanner.finish(offset + length);
      else scanner.keepPartial();
      yield scanner.found.splice(0);
      if (isLast) break;
      [block, other] = [other, block];
    }
    for (const bad of scanner.bad) damages.push({ ...where(segment), ...bad });
  } finally {
    await Promise.allSettled([reading]);
    await file.close();
  }
}

/** A failure is for whoever waits for the bytes, however much later. */
function readAhead(file: DiskFile, into: Uint8Array, offset: number): Promise<number> {
  const reading = file.readAt(into, offset);
  reading.catch(() => undefined);
  return reading;
}

function where(segment: WalSegment): { segment: number; path: string } {
  return { segment: segment.index, path: segment.path };
}
