import { VeronaError } from '../../model/errors.ts';

/** Samples that all queries of a process hold, in memory that its threads share. */
export type BudgetCounter = Int32Array<SharedArrayBuffer>;

export function makeBudgetCounter(): BudgetCounter {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** A query tells the others only of changes of this size: counting each sample across threads would cost more than holding it. */
const GRAIN_SAMPLES = 65_536;
const SAMPLE_BYTES = 16;

/**
 * What all queries of a process together may hold. Each keeps an account of its own, `forQuery`, which is exact to
 * `GRAIN_SAMPLES`. The counter holds 2³¹ samples (32 GiB).
 */
export class SharedBudget {
  readonly #counter: BudgetCounter;
  readonly #samplesMax: number;

  /** 0 bytes is no limit. */
  constructor(counter: BudgetCounter, bytesMax: number) {
    this.#counter = counter;
    this.#samplesMax = bytesMax === 0 ? Number.POSITIVE_INFINITY : Math.floor(bytesMax / SAMPLE_BYTES);
  }

  forQuery(): BudgetAccount {
    return new BudgetAccount(this.#counter, this.#samplesMax);
  }
}

export class BudgetAccount {
  readonly #counter: BudgetCounter;
  readonly #samplesMax: number;
  #told = 0;

  constructor(counter: BudgetCounter, samplesMax: number) {
    this.#counter = counter;
    this.#samplesMax = samplesMax;
  }

  /** The query holds so many samples now. Throws `execution` when all together hold too many. */
  set(held: number): void {
    const change = held - this.#told;
    if (change < GRAIN_SAMPLES && change > -GRAIN_SAMPLES) return;
    const all = Atomics.add(this.#counter, 0, change) + change;
    this.#told = held;
    if (change > 0 && all > this.#samplesMax)
      throw new VeronaError(
        'execution',
        `all queries together would hold too many bytes in memory (${all * SAMPLE_BYTES} bytes, limit ${this.#samplesMax * SAMPLE_BYTES}, set by query.max_bytes_of_all); try again, or ask for less`,
      );
  }

  close(): void {
    Atomics.sub(this.#counter, 0, this.#told);
    this.#told = 0;
  }
}
