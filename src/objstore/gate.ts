import { assert } from '../platform/assert.ts';
import { abortError } from './bucket.ts';

/** Lets at most so many tasks run at once; further ones wait in order of arrival. */
export class Gate {
  readonly #concurrencyMax: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(concurrencyMax: number) {
    assert(concurrencyMax >= 1, 'a gate lets at least one through');
    this.#concurrencyMax = concurrencyMax;
  }

  /** Runs `task` when there is room. A signal that aborts while waiting ends the wait with its error. */
  async run<T>(signal: AbortSignal, what: string, task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#concurrencyMax) await this.#wait(signal, what);
    else this.#running++;
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  #wait(signal: AbortSignal, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortError(signal, what));
      const enter = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#waiting.delete(enter);
        reject(abortError(signal, what));
      };
      this.#waiting.add(enter);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** A leaving task hands its place to the first that waits, so that no newcomer slips in between. */
  #leave(): void {
    const [next] = this.#waiting;
    if (!next) this.#running--;
    else {
      this.#waiting.delete(next);
      next();
    }
  }
}
