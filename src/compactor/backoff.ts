import type { Clock } from '../platform/clock.ts';

const DELAY_MS_FIRST = 60_000;
const DELAY_MS_MAX = 6 * 3_600_000;
/** Names remembered; the oldest are forgotten. */
const NAMES_MAX = 10_000;

/** Work that failed is left alone for a while, longer each time, so that it does not keep other work from being done. */
export class Backoff {
  readonly #clock: Clock;
  readonly #failed = new Map<string, { readonly failures: number; readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  waits(name: string): boolean {
    return (this.#failed.get(name)?.untilMs ?? Number.NEGATIVE_INFINITY) > this.#clock.monotonic();
  }

  /** Names that wait now. */
  get waiting(): number {
    return [...this.#failed.keys()].filter((name) => this.waits(name)).length;
  }

  failed(name: string): void {
    const failures = (this.#failed.get(name)?.failures ?? 0) + 1;
    const delayMs = Math.min(DELAY_MS_MAX, DELAY_MS_FIRST * 2 ** (failures - 1));
    this.#failed.delete(name);
    this.#failed.set(name, { failures, untilMs: this.#clock.monotonic() + delayMs });
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > NAMES_MAX) this.#failed.delete(oldest);
  }

  succeeded(name: string): void {
    this.#failed.delete(name);
  }
}
