import { randomFillSync } from 'node:crypto';

/** Chance as the rest of the house sees it; the simulator supplies a seeded one. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** `length` uniformly random bytes. */
  bytes(length: number): Uint8Array;
}

export class SystemRandom implements Random {
  next(): number {
    return Math.random();
  }

  bytes(length: number): Uint8Array {
    return randomFillSync(new Uint8Array(length));
  }
}

/** Deterministic, for tests and simulation (mulberry32 by Tommy Ettinger, public domain). */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.next() * 256));
  }
}
