import { assert } from '../../platform/assert.ts';

/** Words of one page of the arena; lists that outgrow half of it get an array of their own. */
const PAGE_WORDS = 1 << 16;
const LARGE_WORDS = PAGE_WORDS / 2;
/** The size class of a list with an array of its own. */
const LARGE = 255;

/**
 * Many growing lists of slots in few arrays: a JavaScript typed array costs some 200 bytes before its first
 * element, and a head has hundreds of thousands of lists with three entries. A list is known by its id (≥ 1).
 *
 * Lists live in blocks of 2, 4, 8 … 32768 words inside pages of 65536; freed blocks are kept by size and used
 * again. Order is that of appending; entries of one list are unique because callers append a slot once.
 */
export class PostingsLists {
  readonly #pages: Uint32Array[] = [];
  #pageUsed = PAGE_WORDS;
  /** Freed blocks, by log2 of their words: page number · PAGE_WORDS + offset. */
  readonly #freeBlocks: number[][] = Array.from({ length: 17 }, () => []);
  readonly #large = new Map<number, Uint32Array>();
  readonly #freeIds: number[] = [];
  #idsUsed = 1;
  #places = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  #sizeClasses = new Uint8Array(1024);

  /** A new list of two slots. */
  create(first: number, second: number): number {
    const id = this.#freeIds.pop() ?? this.#newId();
    this.#sizeClasses[id] = 1;
    this.#places[id] = this.#takeBlock(1);
    this.#lengths[id] = 0;
    this.append(id, first);
    this.append(id, second);
    return id;
  }

  append(id: number, slot: number): void {
    const length = this.#lengths[id];
    const sizeClass = this.#sizeClasses[id];
    if (sizeClass === LARGE) {
      const large = this.#large.get(id) as Uint32Array;
      const room = length < large.length ? large : this.#growLarge(id, large);
      room[length] = slot;
    } else {
      if (length === 1 << sizeClass) {
        this.#moveUp(id, slot);
        return;
      }
      const place = this.#places[id];
      this.#pages[Math.floor(place / PAGE_WORDS)][(place % PAGE_WORDS) + length] = slot;
    }
    this.#lengths[id] = length + 1;
  }

  lengthOf(id: number): number {
    return this.#lengths[id];
  }

  /** The slots of a list; a view, valid until the next change. */
  view(id: number): Uint32Array {
    const length = this.#lengths[id];
    const large = this.#large.get(id);
    if (large !== undefined) return large.subarray(0, length);
    const place = this.#places[id];
    const start = place % PAGE_WORDS;
    return this.#pages[Math.floor(place / PAGE_WORDS)].subarray(start, start + length);
  }

  /** Keeps the slots for which `keep` is true, in order; returns how many are left. The list stays, even when empty. */
  retain(id: number, keep: (slot: number) => boolean): number {
    const slots = this.view(id);
    let kept = 0;
    for (let i = 0; i < slots.length; i++) if (keep(slots[i])) slots[kept++] = slots[i];
    this.#lengths[id] = kept;
    return kept;
  }

  /** Frees a list and its id. */
  remove(id: number): void {
    if (!this.#large.delete(id)) this.#freeBlocks[this.#sizeClasses[id]].push(this.#places[id]);
    this.#lengths[id] = 0;
    this.#freeIds.push(id);
  }

  /** Bytes held, used or not. */
  get sizeBytes(): number {
    let bytes = this.#pages.length * PAGE_WORDS * 4 + this.#places.length * 13;
    for (const slots of this.#large.values()) bytes += slots.byteLength;
    return bytes;
  }

  #newId(): number {
    if (this.#idsUsed === this.#places.length) {
      const length = this.#idsUsed + (this.#idsUsed >> 1);
      this.#places = grown(this.#places, new Float64Array(length));
      this.#lengths = grown(this.#lengths, new Uint32Array(length));
      this.#sizeClasses = grown(this.#sizeClasses, new Uint8Array(length));
    }
    return this.#idsUsed++;
  }

  #takeBlock(sizeClass: number): number {
    const freed = this.#freeBlocks[sizeClass].pop();
    if (freed !== undefined) return freed;
    const words = 1 << sizeClass;
    if (this.#pageUsed + words > PAGE_WORDS) {
      this.#freeRestOfPage();
      this.#pages.push(new Uint32Array(PAGE_WORDS));
      this.#pageUsed = 0;
    }
    const place = (this.#pages.length - 1) * PAGE_WORDS + this.#pageUsed;
    this.#pageUsed += words;
    return place;
  }

  /** What is left of the last page serves smaller lists. */
  #freeRestOfPage(): void {
    while (PAGE_WORDS - this.#pageUsed >= 2) {
      const sizeClass = 31 - Math.clz32(PAGE_WORDS - this.#pageUsed);
      this.#freeBlocks[sizeClass].push((this.#pages.length - 1) * PAGE_WORDS + this.#pageUsed);
      this.#pageUsed += 1 << sizeClass;
    }
    this.#pageUsed = PAGE_WORDS;
  }

  /** Copies a full list to a block of twice the size, then appends. */
  #moveUp(id: number, slot: number): void {
    const old = this.view(id);
    const sizeClass = this.#sizeClasses[id];
    const place = this.#places[id];
    assert(old.length === 1 << sizeClass, 'a list moves when it is full');
    if (old.length * 2 > LARGE_WORDS) {
      const large = new Uint32Array(Math.ceil(old.length * 1.25));
      large.set(old);
      this.#large.set(id, large);
      this.#sizeClasses[id] = LARGE;
    } else {
      const to = this.#takeBlock(sizeClass + 1);
      this.#pages[Math.floor(to / PAGE_WORDS)].set(old, to % PAGE_WORDS);
      this.#places[id] = to;
      this.#sizeClasses[id] = sizeClass + 1;
    }
    this.#freeBlocks[sizeClass].push(place);
    this.append(id, slot);
  }

  #growLarge(id: number, full: Uint32Array): Uint32Array {
    const large = grown(full, new Uint32Array(Math.ceil(full.length * 1.25)));
    this.#large.set(id, large);
    return large;
  }
}

function grown<T extends Float64Array | Uint32Array | Uint8Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
