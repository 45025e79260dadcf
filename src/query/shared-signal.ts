import { setMaxListeners } from 'node:events';
import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { type CancelFlag, isCanceled } from './cancel-flags.ts';

/** Longer timers fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The signal of a query, as both its own thread and those that help see it. `deadline`: monotonic ms. */
export function querySignal(flag: CancelFlag, clock: Clock, deadline: number): SharedSignal {
  return new SharedSignal(flag, clock, deadline, {
    canceled: () => new VeronaError('canceled', 'query was canceled in expression evaluation'),
    timeout: () => new VeronaError('timeout', 'query timed out in expression evaluation'),
  });
}

/**
 * An AbortSignal that a loop can trust without yielding: `aborted` looks at a flag in shared memory and at the
 * clock, so a query ends within one check even when its thread never gets to read messages. `notify` wakes
 * those who wait for the `abort` event.
 */
export class SharedSignal extends EventTarget implements AbortSignal {
  readonly #flag: CancelFlag;
  readonly #clock: Clock;
  readonly #deadline: number;
  readonly #reasons: { canceled: () => Error; timeout: () => Error };
  #reason: Error | undefined;
  onabort: AbortSignal['onabort'] = null;
  #notified = false;

  /** `deadline` is on the clock's monotonic time, ms. */
  constructor(
    flag: CancelFlag,
    clock: Clock,
    deadline: number,
    reasons: { canceled: () => Error; timeout: () => Error },
  ) {
    super();
    // A listener for each read under way is no leak.
    setMaxListeners(0, this);
    this.#flag = flag;
    this.#clock = clock;
    this.#deadline = deadline;
    this.#reasons = reasons;
  }

  get aborted(): boolean {
    return this.#isCanceled || this.#isLate;
  }

  get reason(): Error | undefined {
    if (this.#isCanceled) this.#reason ??= this.#reasons.canceled();
    else if (this.#isLate) this.#reason ??= this.#reasons.timeout();
    return this.#reason;
  }

  get #isCanceled(): boolean {
    return isCanceled(this.#flag);
  }

  get #isLate(): boolean {
    return this.#clock.monotonic() > this.#deadline;
  }

  throwIfAborted(): void {
    const { reason } = this;
    if (reason) throw reason;
  }

  /**
   * Notifies when the deadline has passed, until the returned function is called. A timer counts whole milliseconds and may
   * be early by the clock: then it waits on, else those who wait for the event would never wake.
   */
  notifyAtDeadline(): () => void {
    let cancel = () => {};
    const wait = () => {
      const leftMs = Math.max(0, Math.ceil(this.#deadline - this.#clock.monotonic())) + 1;
      cancel = this.#clock.after(Math.min(leftMs, TIMER_MS_MAX), () => {
        this.notify();
        if (!this.#notified) wait();
      });
    };
    wait();
    return () => cancel();
  }

  /** Tells listeners, once, when the signal is aborted by now. */
  notify(): void {
    if (this.#notified || !this.aborted) return;
    this.#notified = true;
    const event = new Event('abort');
    this.onabort?.call(this, event);
    this.dispatchEvent(event);
  }
}
