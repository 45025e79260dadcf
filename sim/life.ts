import type { Clock } from '../src/platform/clock.ts';

/** What an operation of a process that is dead resolves to. */
export const NEVER: Promise<never> = new Promise(() => {});

/**
 * The life of one simulated process. Its disk, bucket and clock ask here before they do anything, so that nothing a dead
 * process had begun goes on, and so that it can die in the middle of any operation.
 */
export class Life {
  #operationsLeft = Number.POSITIVE_INFINITY;
  #isOver = false;
  #atEnd: (() => void)[] = [];

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Runs when the process dies, before anything else can. */
  onEnd(task: () => void): void {
    this.#atEnd.push(task);
  }

  /** The process dies during the operation after the next `operations` ones. */
  endAfter(operations: number): void {
    this.#operationsLeft = Math.min(this.#operationsLeft, operations);
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const task of this.#atEnd) task();
  }

  /** Counts one operation; true when the process dies during it, which the caller brings about by `end`. */
  isLastOperation(): boolean {
    return this.#operationsLeft-- <= 0;
  }
}

/** The simulated time as one process sees it: its timers die with it. */
export class LifeClock implements Clock {
  readonly #clock: Clock;
  readonly #life: Life;

  constructor(clock: Clock, life: Life) {
    this.#clock = clock;
    this.#life = life;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  after(delayMs: number, task: () => void): () => void {
    return this.#clock.after(delayMs, () => {
      if (!this.#life.isOver) task();
    });
  }
}
