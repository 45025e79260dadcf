import type { Random } from './random.ts';

/** What a file is about to do; faults are decided by it. */
export type FileOperation =
  | { readonly kind: 'read' | 'sync' | 'truncate' | 'size' }
  | { readonly kind: 'write'; readonly bytes: number };

type Change =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly size: number };

/** Torn writes keep whole sectors, as disks do. */
const SECTOR_BYTES = 512;

/** The bytes of one file: as they read now, as they are on the platter, and the changes between the two. */
export class MemoryFileData {
  #current = new Content();
  #durable = new Content();
  #changes: Change[] = [];

  get size(): number {
    return this.#current.size;
  }

  read(into: Uint8Array, offset: number): number {
    const part = this.#current.bytes.subarray(offset, Math.min(this.size, offset + into.length));
    into.set(part);
    return part.length;
  }

  write(bytes: Uint8Array, offset: number): void {
    if (bytes.length > 0) this.#change({ kind: 'write', offset, bytes: bytes.slice() });
  }

  truncate(size: number): void {
    this.#change({ kind: 'truncate', size });
  }

  sync(): void {
    for (const change of this.#changes.splice(0)) this.#durable.apply(change);
  }

  /** Each change since the last sync reaches the platter, or some sectors of it do, or none. */
  crash(random: Random): void {
    for (const change of this.#changes.splice(0)) {
      const luck = random.next();
      if (luck < 0.4) this.#durable.apply(change);
      else if (luck < 0.8 && change.kind === 'write') this.#tear(change, random);
    }
    this.#current = this.#durable.copy();
  }

  #tear(change: Change & { kind: 'write' }, random: Random): void {
    for (let at = 0; at < change.bytes.length; at += SECTOR_BYTES)
      if (random.next() < 0.5) {
        const bytes = change.bytes.subarray(at, at + SECTOR_BYTES);
        this.#durable.apply({ kind: 'write', offset: change.offset + at, bytes });
      }
  }

  #change(change: Change): void {
    this.#changes.push(change);
    this.#current.apply(change);
  }
}

class Content {
  #bytes = new Uint8Array(0);
  size = 0;

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  apply(change: Change): void {
    if (change.kind === 'truncate') this.#resize(change.size);
    else {
      const end = change.offset + change.bytes.length;
      if (end > this.size) this.#resize(end);
      this.#bytes.set(change.bytes, change.offset);
    }
  }

  copy(): Content {
    const copy = new Content();
    copy.#bytes = this.#bytes.slice(0, this.size);
    copy.size = this.size;
    return copy;
  }

  #resize(size: number): void {
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.size));
      this.#bytes = grown;
    }
    if (size < this.size) this.#bytes.fill(0, size, this.size);
    this.size = size;
  }
}
