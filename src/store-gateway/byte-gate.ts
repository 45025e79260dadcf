import { abortError } from '../objstore/bucket.ts';

interface Waiting {
  readonly bytes: number;
  readonly enter: () => void;
}

/** Lets tasks run at once that take so much memory together at most; further ones wait in order of arrival. One runs in any case. */
export class ByteGate {
  readonly #bytesMax: number;
  readonly #waiting = new Set<Waiting>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Runs `task`, which takes about `bytes`, when there is room. A signal that aborts while waiting ends the wait with its error. */
  async run<T>(signal: AbortSignal, what: string, bytes: number, task: () => Promise<T>): Promise<T> {
    if (this.#waiting.size > 0 || !this.#hasRoomFor(bytes)) await this.#wait(signal, what, bytes);
    else this.#bytes += bytes;
    try {
      return await task();
    } finally {
      this.#bytes -= bytes;
      this.#letIn();
    }
  }

  #hasRoomFor(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }

  #wait(signal: AbortSignal, what: string, bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortError(signal, what));
      const waiting: Waiting = {
        bytes,
        enter: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        this.#waiting.delete(waiting);
        reject(abortError(signal, what));
        // Those behind a large one may fit.
        this.#letIn();
      };
      this.#waiting.add(waiting);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #letIn(): void {
    for (const waiting of this.#waiting) {
      if (!this.#hasRoomFor(waiting.bytes)) return;
      this.#waiting.delete(waiting);
      this.#bytes += waiting.bytes;
      waiting.enter();
    }
  }
}
