/** Distinct byte strings, numbered in the order they came; a hash table over one arena, without JavaScript strings. */
export class SymbolTable {
  #arena = new Uint8Array(64 * 1024);
  #arenaUsed = 0;
  #offsets = new Float64Array(1024);
  #table = new Uint32Array(4096);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The number of bytes[start … end), new if unknown. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    let slot = hash(bytes, start, end) & (this.#table.length - 1);
    for (;;) {
      const known = this.#table[slot];
      if (known === 0) break;
      if (this.#equals(known - 1, bytes, start, end)) return known - 1;
      slot = (slot + 1) & (this.#table.length - 1);
    }
    this.#table[slot] = this.#add(bytes, start, end) + 1;
    if (this.#count * 2 > this.#table.length) this.#rehash();
    return this.#count - 1;
  }

  /** The bytes of a symbol; a view, valid until the next `intern`. */
  bytesOf(id: number): Uint8Array {
    return this.#arena.subarray(this.#offsets[id], this.#offsets[id + 1]);
  }

  /** All numbers, ordered by bytes. */
  sorted(): Uint32Array {
    const ids = Uint32Array.from({ length: this.#count }, (_, i) => i);
    return ids.sort((a, b) => this.#compare(a, b));
  }

  #compare(a: number, b: number): number {
    const arena = this.#arena;
    let i = this.#offsets[a];
    let k = this.#offsets[b];
    const iEnd = this.#offsets[a + 1];
    const kEnd = this.#offsets[b + 1];
    while (i < iEnd && k < kEnd) {
      const order = arena[i++] - arena[k++];
      if (order !== 0) return order;
    }
    return iEnd - i - (kEnd - k);
  }

  #equals(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#offsets[id];
    if (this.#offsets[id + 1] - from !== end - start) return false;
    for (let i = 0; i < end - start; i++) if (this.#arena[from + i] !== bytes[start + i]) return false;
    return true;
  }

  #add(bytes: Uint8Array, start: number, end: number): number {
    const size = this.#arenaUsed + end - start;
    if (size > this.#arena.length) {
      const grown = new Uint8Array(Math.max(size, this.#arena.length * 2));
      grown.set(this.#arena.subarray(0, this.#arenaUsed));
      this.#arena = grown;
    }
    if (this.#count + 2 > this.#offsets.length) {
      const grown = new Float64Array(this.#offsets.length * 2);
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    this.#arena.set(bytes.subarray(start, end), this.#arenaUsed);
    this.#arenaUsed = size;
    this.#offsets[this.#count + 1] = size;
    return this.#count++;
  }

  #rehash(): void {
    this.#table = new Uint32Array(this.#table.length * 2);
    for (let id = 0; id < this.#count; id++) {
      let slot = hash(this.#arena, this.#offsets[id], this.#offsets[id + 1]) & (this.#table.length - 1);
      while (this.#table[slot] !== 0) slot = (slot + 1) & (this.#table.length - 1);
      this.#table[slot] = id + 1;
    }
  }
}

/** FNV-1a with a final mix. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let h = 0x811c9dc5;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i], 0x01000193);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
