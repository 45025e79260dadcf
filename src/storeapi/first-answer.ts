import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { LinkedSignal } from '../storage/linked-signal.ts';

export interface FirstAnswerOptions {
  /** After so long without an answer the next is asked beside those before it, ms; 0: only when they fail. */
  readonly hedgeMs: number;
  readonly signal: AbortSignal;
}

/** Errors that equals would give too. */
const NO_OTHER_HELPS: ReadonlySet<string> = new Set(['bad_data', 'limit', 'forbidden']);

/**
 * The first answer of equals, which are asked one after the other as each fails or is slow, and the signal that it was asked
 * with; all others are canceled. Rejects with the error of the last when none answers.
 */
export function firstAnswer<T>(
  tries: readonly ((signal: AbortSignal) => Promise<T>)[],
  { hedgeMs, signal }: FirstAnswerOptions,
  clock: Clock,
): Promise<{ readonly value: T; readonly signal: LinkedSignal }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ value: T; signal: LinkedSignal }>();
  const running = new Set<LinkedSignal>();
  let next = 0;
  let isSettled = false;
  let stopTimer = () => {};
  const settle = (winner: LinkedSignal | undefined) => {
    isSettled = true;
    stopTimer();
    for (const other of running)
      if (other !== winner) other.abort(new VeronaError('canceled', 'another answered'));
  };
  const fail = (own: LinkedSignal, error: unknown) => {
    own.unlink();
    running.delete(own);
    if (isSettled) return;
    const isFinal = signal.aborted || (error instanceof VeronaError && NO_OTHER_HELPS.has(error.code));
    if (!isFinal && next < tries.length) return begin();
    if (!isFinal && running.size > 0) return;
    settle(undefined);
    reject(error);
  };
  const begin = () => {
    stopTimer();
    if (isSettled || next >= tries.length) return;
    const own = new LinkedSignal(signal);
    running.add(own);
    const asked = tries[next++];
    if (hedgeMs > 0 && next < tries.length) stopTimer = clock.after(hedgeMs, begin);
    asked(own).then(
      (value) => {
        if (isSettled) return;
        settle(own);
        resolve({ value, signal: own });
      },
      (error) => fail(own, error),
    );
  };
  begin();
  return promise;
}
