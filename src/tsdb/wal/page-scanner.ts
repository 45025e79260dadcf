import { crc32c } from '../../kernel/bytes-kernel.ts';
import {
  FRAGMENT_HEADER_BYTES,
  FRAGMENT_TYPE_MASK,
  FragmentType,
  type FramedRecord,
  PAGE_BYTES,
  SNAPPY_FLAG,
  ZSTD_FLAG,
} from './framing.ts';

/** A record found, and where in the segment its first fragment begins. */
export interface FoundRecord extends FramedRecord {
  readonly offset: number;
}

/** Bytes of a segment that hold no readable record. */
export interface BadBytes {
  readonly start: number;
  end: number;
  readonly reason: string;
  /** The last write did not get to its end: what a crash leaves behind. */
  readonly torn: boolean;
}

interface Partial {
  readonly offset: number;
  readonly flags: number;
  readonly parts: Uint8Array[];
  /** How many of `parts` are no longer views of pages. */
  kept: number;
}

/**
 * Finds the records of one segment, page by page. After bad bytes it goes on at the next page, where a fragment always
 * begins. Synchronous; record data are views into the pages, whose bytes are moved where a record was split.
 */
export class PageScanner {
  readonly found: FoundRecord[] = [];
  readonly bad: BadBytes[] = [];
  #partial: Partial | undefined;
  /** Fragments without a beginning belong to a record that is lost already. */
  #resyncing = false;

  /** Reads one page at segment offset `pageStart`; shorter than a page only at the segment's end. */
  scan(page: Uint8Array, pageStart: number): void {
    let at = 0;
    while (at < page.length) {
      if (page[at] === FragmentType.pageEnd) {
        if (isZero(page, at)) return;
        this.#damage(pageStart + at, pageStart + page.length, 'bytes after the end of a page');
        return;
      }
      const next = this.#fragment(page, at, pageStart);
      if (next < 0) return;
      at = next;
    }
  }

  /** To be called before the memory of the pages scanned so far is used again: copies what a record has so far. */
  keepPartial(): void {
    const partial = this.#partial;
    if (partial === undefined) return;
    const { parts } = partial;
    for (; partial.kept < parts.length; partial.kept++) parts[partial.kept] = parts[partial.kept].slice();
  }

  /** To be called after the last page: a record that is not complete by now is torn. */
  finish(end: number): void {
    if (this.#partial) this.#bad(this.#partial.offset, end, 'record without its end', true);
    this.#partial = undefined;
  }

  /** Returns where the next fragment begins, or -1 when nothing more can be read from this page. */
  #fragment(page: Uint8Array, at: number, pageStart: number): number {
    const start = pageStart + at;
    const end = pageStart + page.length;
    const isShort = page.length < PAGE_BYTES;
    if (page.length - at < FRAGMENT_HEADER_BYTES) return this.#cutOff(start, end, isShort, 'record header');
    const type = page[at] & FRAGMENT_TYPE_MASK;
    const flags = page[at] & ~FRAGMENT_TYPE_MASK;
    const length = (page[at + 1] << 8) | page[at + 2];
    const dataStart = at + FRAGMENT_HEADER_BYTES;
    if (type > FragmentType.last || (flags !== 0 && flags !== SNAPPY_FLAG && flags !== ZSTD_FLAG))
      return this.#lost(start, end, `unknown record type ${page[at]}`);
    if (dataStart + length > page.length) {
      if (dataStart + length > PAGE_BYTES)
        return this.#lost(start, end, `record of ${length} bytes leaves its page`);
      return this.#cutOff(start, end, isShort, 'record');
    }
    const data = page.subarray(dataStart, dataStart + length);
    const sum = ((page[at + 3] << 24) | (page[at + 4] << 16) | (page[at + 5] << 8) | page[at + 6]) >>> 0;
    if (crc32c(data) !== sum) return this.#lost(start, end, 'bad checksum');
    this.#accept(type, flags, data, start);
    return dataStart + length;
  }

  #accept(type: number, flags: number, data: Uint8Array, offset: number): void {
    if (type === FragmentType.full || type === FragmentType.first) {
      if (this.#partial) this.#bad(this.#partial.offset, offset, 'record without its end', false);
      this.#resyncing = false;
      this.#partial = type === FragmentType.first ? { offset, flags, parts: [data], kept: 0 } : undefined;
      if (type === FragmentType.full) this.found.push({ flags, data, offset });
      return;
    }
    if (!this.#partial) {
      if (this.#resyncing) this.#extendLast(offset + FRAGMENT_HEADER_BYTES + data.length);
      else
        this.#bad(
          offset,
          offset + FRAGMENT_HEADER_BYTES + data.length,
          'record without its beginning',
          false,
        );
      this.#resyncing = true;
      return;
    }
    this.#partial.parts.push(data);
    if (type === FragmentType.middle) return;
    this.found.push({
      flags: this.#partial.flags,
      data: join(this.#partial.parts),
      offset: this.#partial.offset,
    });
    this.#partial = undefined;
  }

  #cutOff(start: number, end: number, isShort: boolean, what: string): number {
    if (!isShort) return this.#lost(start, end, `${what} leaves its page`);
    this.#bad(this.#partial?.offset ?? start, end, `${what} cut off`, true);
    this.#partial = undefined;
    return -1;
  }

  #lost(start: number, end: number, reason: string): number {
    this.#damage(start, end, reason);
    return -1;
  }

  #damage(start: number, end: number, reason: string): void {
    this.#bad(this.#partial?.offset ?? start, end, reason, false);
    this.#partial = undefined;
    this.#resyncing = true;
  }

  #bad(start: number, end: number, reason: string, torn: boolean): void {
    this.bad.push({ start, end, reason, torn });
  }

  #extendLast(end: number): void {
    const last = this.bad.at(-1);
    if (last) last.end = end;
  }
}

function isZero(page: Uint8Array, from: number): boolean {
  for (let i = from; i < page.length; i++) if (page[i] !== 0) return false;
  return true;
}

/** Puts the parts of a record together: where they are, if they lie in one buffer, over the headers between them. */
function join(parts: readonly Uint8Array[]): Uint8Array {
  const last = parts[parts.length - 1];
  const { buffer } = last;
  if (parts.some((part) => part.buffer !== buffer)) return concat(parts);
  let start = last.byteOffset;
  for (let i = parts.length - 2; i >= 0; i--) {
    start -= parts[i].length;
    new Uint8Array(buffer, start, parts[i].length).set(parts[i]);
  }
  return new Uint8Array(buffer, start, last.byteOffset + last.length - start);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
