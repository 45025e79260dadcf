import type { Clock } from '../clock.ts';

/** A clock that a test moves: nothing happens by itself. Wall time and `monotonic` are the same. */
export class HandClock implements Clock {
  time: number;
  #timers: { readonly at: number; readonly task: () => void }[] = [];

  constructor(time = 0) {
    this.time = time;
  }

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { at: this.time + delayMs, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** How long until each timer that is set, ms, in the order they were set. */
  get delays(): number[] {
    return this.#timers.map(({ at }) => at - this.time);
  }

  /** Runs what is due then; timers set by that wait for the next call. */
  advance(ms: number): void {
    this.time += ms;
    const due = this.#timers.filter(({ at }) => at <= this.time);
    this.#timers = this.#timers.filter(({ at }) => at > this.time);
    for (const { task } of due) task();
  }

  /** As `advance`, and lets what waits for those timers go on. */
  async pass(ms: number): Promise<void> {
    this.advance(ms);
    for (let i = 0; i < 50; i++) await Promise.resolve();
  }
}
