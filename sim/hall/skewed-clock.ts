import type { Clock } from '../../src/platform/clock.ts';

/** A clock that is wrong by a constant. */
export class SkewedClock implements Clock {
  readonly #clock: Clock;
  readonly #skewMs: number;

  constructor(clock: Clock, skewMs: number) {
    this.#clock = clock;
    this.#skewMs = skewMs;
  }

  now(): number {
    return this.#clock.now() + this.#skewMs;
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  after(delayMs: number, task: () => void): () => void {
    return this.#clock.after(delayMs, task);
  }
}
