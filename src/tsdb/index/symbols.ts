import { VeronaError } from '../../model/errors.ts';
import { ByteReader } from '../format/byte-reader.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import { type IndexBytes, SAMPLE_EVERY, walkSection } from './sampled-section.ts';

/** Symbols remembered by number; all are forgotten when there are more. */
const REMEMBERED_MAX = 65_536;
/** A symbol and its length are normally within this many bytes of the sampled one per step. */
const READ_BYTES = 4096;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The symbols of an index by their number; every 32nd place is in memory. */
export class Symbols {
  readonly count: number;
  readonly #file: IndexBytes;
  readonly #offset: number;
  readonly #places: Float64Array;
  readonly #end: number;
  readonly #remembered = new Map<number, Uint8Array>();

  private constructor(file: IndexBytes, offset: number, places: Float64Array, count: number, end: number) {
    this.#file = file;
    this.#offset = offset;
    this.#places = places;
    this.count = count;
    this.#end = end;
  }

  /** Verifies the section. Throws `corrupt`. */
  static async open(file: IndexBytes, offset: number): Promise<Symbols> {
    const places: number[] = [];
    const { count, end } = await walkSection(file, offset, 'symbols', (reader, at, i) => {
      reader.skip(reader.length());
      if (i % SAMPLE_EVERY === 0) places.push(at);
    });
    return new Symbols(file, offset, Float64Array.from(places), count, end);
  }

  /** UTF-8 of symbol `ref`; not to be changed. Throws `corrupt` when there is none. */
  bytesOf(ref: number): Uint8Array {
    const known = this.#remembered.get(ref);
    if (known) return known;
    if (ref >= this.count) throw new VeronaError('corrupt', `${this.#file.path}: unknown symbol ${ref}`);
    const bytes = this.#find(ref);
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(ref, bytes);
    return bytes;
  }

  /** Reads all of them; calls `visit` with the number of each that does not sort after the one before. */
  async visitUnordered(visit: (ref: number) => void): Promise<void> {
    const before = new ByteWriter();
    await walkSection(this.#file, this.#offset, 'symbols', (reader, _at, i) => {
      const bytes = reader.take(reader.length());
      if (i > 0 && Buffer.compare(before.view(), bytes) >= 0) visit(i);
      before.clear();
      before.bytes(bytes);
    });
  }

  textOf(ref: number): string {
    return decoder.decode(this.bytesOf(ref));
  }

  #find(ref: number): Uint8Array {
    let at = this.#places[Math.floor(ref / SAMPLE_EVERY)];
    let skip = ref % SAMPLE_EVERY;
    for (let wanted = READ_BYTES; ; ) {
      const block = this.#file.read(at, Math.min(wanted, this.#end - at));
      const reader = new ByteReader(block);
      const found = skipEntries(reader, skip);
      if (found.bytes) return found.bytes;
      if (found.used === 0) wanted *= 2;
      at += found.used;
      skip -= found.skipped;
      if (wanted > 2 * (this.#end - at) + READ_BYTES)
        throw new VeronaError('corrupt', `${this.#file.path}: symbols cut off at ${at}`);
    }
  }
}

/** Passes over `count` length-prefixed entries and copies the next one, as far as they are in the buffer. */
function skipEntries(
  reader: ByteReader,
  count: number,
): { used: number; skipped: number; bytes: Uint8Array | undefined } {
  let used = 0;
  for (let skipped = 0; ; skipped++) {
    const length = peekLength(reader);
    if (length < 0) return { used, skipped, bytes: undefined };
    if (skipped === count) return { used, skipped, bytes: reader.take(length).slice() };
    reader.skip(length);
    used = reader.at;
  }
}

/** Reads a length whose bytes are all here; -1 when something is missing. */
function peekLength(reader: ByteReader): number {
  const { bytes, at, end } = reader;
  let i = at;
  while (i < end && bytes[i] >= 128) i++;
  if (i >= end) return -1;
  const length = reader.uvarint();
  return length <= reader.left ? length : -1;
}
