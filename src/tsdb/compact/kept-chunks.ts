import type { ChunkWindow } from '../chunks/chunk-window.ts';
import type { ReplicaChunk } from './merge-overlaps.ts';

/** Less is not asked for. */
const BUFFER_BYTES = 256 * 1024;
/** A larger buffer is given back. */
const BUFFER_BYTES_MAX = 16 * 1024 * 1024;

/** Copies of chunks that are merged in one go, all of them thrown away at once: an array for each costs more than what is done with them. */
export class KeptChunks {
  #buffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;

  /** A copy of the chunk that `window` has open, good until `clear`. */
  keep(
    { encoding, entry, dataStart, sampleCount }: ChunkWindow,
    replica: number,
    mint: number,
    maxt: number,
  ): ReplicaChunk {
    return new KeptChunk(replica, mint, maxt, encoding, this.#copy(entry), dataStart, sampleCount);
  }

  clear(): void {
    if (this.#buffer.length > BUFFER_BYTES_MAX) this.#buffer = new Uint8Array(BUFFER_BYTES);
    this.#used = 0;
  }

  #copy(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    // Copies made before stay in their buffer.
    if (this.#used + length > this.#buffer.length) {
      this.#buffer = new Uint8Array(Math.max(2 * this.#buffer.length, length));
      this.#used = 0;
    }
    const at = this.#used;
    this.#buffer.set(bytes, at);
    this.#used += length;
    return this.#buffer.subarray(at, at + length);
  }
}

/** What is of the entry is not a field: a chunk made of this one with other data has no entry. */
class KeptChunk implements ReplicaChunk {
  readonly replica: number;
  readonly mint: number;
  readonly maxt: number;
  readonly encoding: number;
  readonly #entry: Uint8Array;
  readonly #dataStart: number;
  readonly #sampleCount: number;

  constructor(
    replica: number,
    mint: number,
    maxt: number,
    encoding: number,
    entry: Uint8Array,
    dataStart: number,
    sampleCount: number,
  ) {
    this.replica = replica;
    this.mint = mint;
    this.maxt = maxt;
    this.encoding = encoding;
    this.#entry = entry;
    this.#dataStart = dataStart;
    this.#sampleCount = sampleCount;
  }

  get entry(): Uint8Array {
    return this.#entry;
  }

  get sampleCount(): number {
    return this.#sampleCount;
  }

  get data(): Uint8Array {
    return this.#entry.subarray(this.#dataStart, this.#entry.length - CHECKSUM_BYTES);
  }
}

const CHECKSUM_BYTES = 4;
