/** A word for each query that runs, in memory that all threads see. */
export type CancelWords = Int32Array<SharedArrayBuffer>;

/**
 * Says to all threads whether a query goes on: it does for as long as its word holds its ticket. The word of a query that
 * ended is used again with another ticket, so that who still looks at it sees the end and never another query's.
 */
export interface CancelFlag {
  readonly words: CancelWords;
  readonly index: number;
  readonly ticket: number;
}

const TICKET_MAX = 2 ** 31 - 1;

/** The words of at most `count` queries at once. One block for all: shared memory made for each query was a tenth of its cost. */
export class CancelFlags {
  readonly words: CancelWords;
  readonly #free: number[];
  #ticket = 0;

  constructor(count: number) {
    this.words = new Int32Array(new SharedArrayBuffer(4 * count));
    this.#free = Array.from({ length: count }, (_, i) => count - 1 - i);
  }

  /** To be given back by `release`. */
  take(): CancelFlag {
    const index = this.#free.pop();
    if (index === undefined) throw new Error('more queries run than there are words for');
    this.#ticket = this.#ticket === TICKET_MAX ? 1 : this.#ticket + 1;
    Atomics.store(this.words, index, this.#ticket);
    return { words: this.words, index, ticket: this.#ticket };
  }

  release(flag: CancelFlag): void {
    cancelQuery(flag);
    this.#free.push(flag.index);
  }
}

export function cancelQuery({ words, index, ticket }: CancelFlag): void {
  Atomics.compareExchange(words, index, ticket, 0);
}

export function isCanceled({ words, index, ticket }: CancelFlag): boolean {
  return Atomics.load(words, index) !== ticket;
}
