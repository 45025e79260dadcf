/** Time as the rest of the house sees it; the simulator supplies its own. */
export interface Clock {
  /** Wall time, milliseconds since the Unix epoch (integer). */
  now(): number;
  /** A time that never goes back, milliseconds (fractional), origin unspecified. */
  monotonic(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. Never keeps the process alive. */
  after(delayMs: number, task: () => void): () => void;
}

export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  }
}

/** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Runs `task` now and then again and again, `intervalMs` after it ended, until the signal aborts. `failed` is told of what
 * it throws.
 */
export async function repeat(
  clock: Clock,
  intervalMs: number,
  signal: AbortSignal,
  task: () => Promise<void>,
  failed: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    await task().catch((error: unknown) => {
      if (!signal.aborted) failed(error);
    });
    await sleep(clock, intervalMs, signal).catch(() => undefined);
  }
}
