import { VeronaError } from '../model/errors.ts';

/** A piece of kernel memory for one purpose: address and bytes. */
export interface Region {
  at: number;
  size: number;
}

const PAGE = 65536;
const BYTES_MAX = 2 ** 32 - PAGE;

/** Gives out the memory of a kernel instance from the bottom up; nothing is given back but all of it, by `reset`. */
export class LinearMemory {
  readonly #memory: WebAssembly.Memory;
  readonly #bottom: number;
  #top: number;
  #bytes: Uint8Array;
  #floats: Float64Array;

  /** `bottom`: the first address that may be given out, a multiple of 16. */
  constructor(memory: WebAssembly.Memory, bottom: number) {
    this.#memory = memory;
    this.#bottom = bottom;
    this.#top = bottom;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#floats = new Float64Array(memory.buffer);
  }

  get sizeBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** All of it; void after the next `allocate` or `reserve`. */
  get bytes(): Uint8Array {
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(this.#memory.buffer);
    return this.#bytes;
  }

  /** The same as float64, by address / 8. */
  get floats(): Float64Array {
    if (this.#floats.length === 0) this.#floats = new Float64Array(this.#memory.buffer);
    return this.#floats;
  }

  reset(): void {
    this.#top = this.#bottom;
  }

  /** An address, a multiple of 16, of so many bytes of any content. Throws `limit`. */
  allocate(sizeBytes: number): number {
    const at = this.#top;
    const end = at + ((sizeBytes + 15) & ~15);
    if (end > BYTES_MAX) throw new VeronaError('limit', 'a kernel needs more than 4 GiB of memory');
    const missing = end - this.sizeBytes;
    if (missing > 0) this.#memory.grow(Math.ceil(Math.max(missing, this.sizeBytes / 4) / PAGE));
    this.#top = end;
    return at;
  }

  /** Makes a region at least so large; it grows by moving to the end of memory, and its content is not kept. Throws `limit`. */
  reserve(region: Region, sizeBytes: number): void {
    if (sizeBytes <= region.size) return;
    const larger = Math.max(sizeBytes, 2 * region.size);
    region.at = this.allocate(larger);
    region.size = larger;
  }
}
