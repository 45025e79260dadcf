import type { Clock } from '../src/platform/clock.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
}

/** Time that moves only when told to. Timers run in order of their time, then of their making. */
export class SimulatedClock implements Clock {
  #now: number;
  readonly #origin: number;
  #timers: Timer[] = [];
  #order = 0;

  constructor(startMs: number) {
    this.#now = startMs;
    this.#origin = startMs;
  }

  now(): number {
    return Math.floor(this.#now);
  }

  monotonic(): number {
    return this.#now - this.#origin;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves time on by `ms`, running what comes due; after each timer everything that follows from it settles. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (let timer = this.#nextUntil(end); timer; timer = this.#nextUntil(end)) {
      this.#timers = this.#timers.filter((other) => other !== timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.task();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  /** Forgets every timer, as the death of a process does. */
  clear(): void {
    this.#timers = [];
  }

  #nextUntil(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers)
      if (
        timer.at <= end &&
        (!next || timer.at < next.at || (timer.at === next.at && timer.order < next.order))
      )
        next = timer;
    return next;
  }
}

/** Lets promises and immediates that are ready run, as many turns as chains in the system are long. */
export async function settle(turns = 50): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}
