import { crc32c } from '../../encoding/crc32c.ts';
import { VeronaError } from '../../model/errors.ts';
import { ByteReader } from '../format/byte-reader.ts';
import type { RankedSymbols } from './index-writer.ts';
import type { IndexBytes } from './sampled-section.ts';

/**
 * The symbols of several indexes as one ordered list. Merged from front to back, so that of each source only a piece is in
 * memory; what stays is the bytes of the merged symbols and 4 bytes per symbol of each source.
 */
export class MergedSymbols implements RankedSymbols {
  readonly #arena = new SymbolArena();
  /** By source: symbol ref of the source → rank. */
  readonly ranks: readonly Uint32Array[];

  /** Reads the symbol sections at `offsets` of `files`. Throws `corrupt` for a section that is damaged or out of order. */
  constructor(files: readonly IndexBytes[], offsets: readonly number[]) {
    const cursors = files.map((file, i) => new SymbolCursor(file, offsets[i]));
    this.ranks = cursors.map(({ count }) => new Uint32Array(count));
    for (;;) {
      const least = leastOf(cursors);
      if (least === undefined) break;
      const rank = this.#arena.push(least);
      for (const [i, cursor] of cursors.entries())
        if (cursor.current && Buffer.compare(cursor.current, this.bytesOf(rank)) === 0) {
          this.ranks[i][cursor.ref] = rank;
          cursor.next();
        }
    }
  }

  get count(): number {
    return this.#arena.count;
  }

  bytesOf(rank: number): Uint8Array {
    return this.#arena.bytesOf(rank);
  }
}

function leastOf(cursors: readonly SymbolCursor[]): Uint8Array | undefined {
  let least: Uint8Array | undefined;
  for (const { current } of cursors)
    if (current && (least === undefined || Buffer.compare(current, least) < 0)) least = current;
  return least;
}

const PIECE_BYTES = 64 * 1024;

/** Stands on one symbol of a section after the other: length 4B, count 4B, ( length uvarint, bytes )…, CRC32C. */
class SymbolCursor {
  readonly count: number;
  /** Number of the current symbol. */
  ref = -1;
  /** A copy; undefined at the end. */
  current: Uint8Array | undefined;
  readonly #file: IndexBytes;
  readonly #end: number;
  #piece: ByteReader;
  #at: number;
  #sum: number;

  constructor(file: IndexBytes, offset: number) {
    this.#file = file;
    const head = new ByteReader(file.read(offset, 8).slice());
    if (head.left < 8) throw new VeronaError('corrupt', `${file.path}: symbols cut off at ${offset}`);
    this.#end = offset + 4 + head.be32();
    this.count = head.be32();
    if (this.#end + 4 > file.sizeBytes || this.count > this.#end - offset)
      throw new VeronaError('corrupt', `${file.path}: symbols at ${offset} leave the file`);
    this.#sum = crc32c(head.bytes, 4, 8);
    this.#at = offset + 8;
    this.#piece = new ByteReader(new Uint8Array(0));
    this.next();
  }

  next(): void {
    const before = this.current;
    if (++this.ref >= this.count) {
      this.#finish();
      return;
    }
    this.current = this.#read();
    if (before && Buffer.compare(before, this.current) >= 0)
      throw new VeronaError('corrupt', `${this.#file.path}: symbol ${this.ref} is out of order`);
  }

  #read(): Uint8Array {
    for (let wanted = PIECE_BYTES; ; wanted *= 2) {
      const start = this.#piece.at;
      try {
        return this.#piece.take(this.#piece.length()).slice();
      } catch (error) {
        // Cut by the end of the piece, or by that of the section.
        const isWhole = this.#at + this.#piece.end >= this.#end;
        if (isWhole) throw this.#wrong(error);
        this.#moveTo(start, wanted);
      }
    }
  }

  #moveTo(used: number, wanted: number): void {
    this.#sum = crc32c(this.#piece.bytes, 0, used, this.#sum);
    this.#at += used;
    const bytes = this.#file.read(this.#at, Math.min(wanted, this.#end - this.#at)).slice();
    this.#piece = new ByteReader(bytes);
    if (bytes.length === 0) throw this.#wrong(new Error('cut off'));
  }

  #finish(): void {
    this.current = undefined;
    const used = this.#piece.at;
    const sum = crc32c(this.#piece.bytes, 0, used, this.#sum);
    if (this.#at + used !== this.#end) throw this.#wrong(new Error(`more than ${this.count} entries`));
    if (new ByteReader(this.#file.read(this.#end, 4)).be32() !== sum)
      throw this.#wrong(new Error('bad checksum'));
  }

  #wrong(cause: unknown): VeronaError {
    const what = (cause as Error).message;
    return new VeronaError('corrupt', `${this.#file.path}: symbol ${this.ref}: ${what}`, { cause });
  }
}

/** Byte strings one behind the other, in pieces that are never moved. */
class SymbolArena {
  readonly #pieces: Uint8Array[] = [];
  #used = 0;
  /** Of symbol i: piece · 2³² + offset. */
  #places = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  count = 0;

  push(bytes: Uint8Array): number {
    let piece = this.#pieces.at(-1);
    if (!piece || this.#used + bytes.length > piece.length) {
      piece = new Uint8Array(Math.max(bytes.length, PIECE_BYTES * 4));
      this.#pieces.push(piece);
      this.#used = 0;
    }
    if (this.count === this.#lengths.length) this.#grow();
    piece.set(bytes, this.#used);
    this.#places[this.count] = (this.#pieces.length - 1) * 2 ** 32 + this.#used;
    this.#lengths[this.count] = bytes.length;
    this.#used += bytes.length;
    return this.count++;
  }

  bytesOf(id: number): Uint8Array {
    const place = this.#places[id];
    const piece = Math.floor(place / 2 ** 32);
    const start = place - piece * 2 ** 32;
    return this.#pieces[piece].subarray(start, start + this.#lengths[id]);
  }

  #grow(): void {
    const places = new Float64Array(2 * this.count);
    const lengths = new Uint32Array(2 * this.count);
    places.set(this.#places);
    lengths.set(this.#lengths);
    this.#places = places;
    this.#lengths = lengths;
  }
}
