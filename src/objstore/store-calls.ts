import { type ErrorCode, VeronaError } from '../model/errors.ts';
import { type Clock, sleep } from '../platform/clock.ts';
import { abortError, assertNotAborted, type BucketContext } from './bucket.ts';
import { Gate } from './gate.ts';
import { isNetworkError, isRetryableStatus, type RetryPolicy } from './retry.ts';

export interface StoreCallsOptions {
  readonly concurrencyMax: number;
  /** One attempt, with its body, takes no longer; without it attempts end by themselves. */
  readonly timeoutMs?: number;
  /** What the errors of the store's client mean; those of HTTP answers (`status`, `statusCode`) when absent. */
  readonly errors?: StoreErrors;
}

export interface StoreErrors {
  /** Whether the same request may succeed later. */
  readonly isRetryable: (error: unknown) => boolean;
  /** The bucket's error for one of the client. */
  readonly toError: (what: string, error: unknown) => VeronaError;
}

/** An answer of a store that says no. */
export class StoreAnswer extends Error {
  readonly status: number;
  /** The whole store is meant, not the object: it will not work later either. */
  readonly isFatal: boolean;

  constructor(status: number, message: string, isFatal = false) {
    super(message);
    this.status = status;
    this.isFatal = isFatal;
  }
}

const MESSAGE_LENGTH_MAX = 300;

/** Requests to a store over HTTP: bounded in number and time, tried again when that may help, ended by their signal. */
export class StoreCalls {
  readonly #options: StoreCallsOptions;
  readonly #clock: Clock;
  readonly #retry: RetryPolicy;
  readonly #gate: Gate;
  readonly #errors: StoreErrors;

  constructor(options: StoreCallsOptions, clock: Clock, retry: RetryPolicy) {
    this.#options = options;
    this.#clock = clock;
    this.#retry = retry;
    this.#gate = new Gate(options.concurrencyMax);
    this.#errors = options.errors ?? { isRetryable, toError: storeError };
  }

  /** Runs `attempt` until it succeeds or there is no use. Its signal ends with the caller's and after the time limit. */
  run<T>(ctx: BucketContext, what: string, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    assertNotAborted(ctx, what);
    return this.#gate.run(ctx.signal, what, async () => {
      for (let count = 1; ; count++) {
        try {
          const result = await this.#once(ctx, attempt);
          this.#retry.succeeded();
          return result;
        } catch (error) {
          if (ctx.signal.aborted) throw abortError(ctx.signal, what);
          if (!this.#errors.isRetryable(error) || !this.#retry.take(count))
            throw this.#errors.toError(what, error);
          await sleep(this.#clock, this.#retry.delayMs(count), ctx.signal).catch(() => {});
          assertNotAborted(ctx, what);
        }
      }
    });
  }

  async #once<T>(ctx: BucketContext, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options;
    if (timeoutMs === undefined) return attempt(ctx.signal);
    const controller = new AbortController();
    const stop = () => controller.abort(ctx.signal.reason);
    let isLate = false;
    const cancelTimer = this.#clock.after(timeoutMs, () => {
      isLate = true;
      controller.abort();
    });
    ctx.signal.addEventListener('abort', stop, { once: true });
    try {
      return await attempt(controller.signal);
    } catch (error) {
      if (isLate)
        throw Object.assign(new Error(`no answer within ${timeoutMs} ms`), { name: 'TimeoutError' });
      throw error;
    } finally {
      cancelTimer();
      ctx.signal.removeEventListener('abort', stop);
    }
  }
}

function isRetryable(error: unknown): boolean {
  if (error instanceof VeronaError) return false;
  const status = statusOfAnswer(error);
  return status === undefined
    ? isNetworkError(error) || isNetworkError((error as Error).cause)
    : isRetryableStatus(status);
}

/** The bucket's error for one of a store. */
function storeError(what: string, error: unknown): VeronaError {
  if (error instanceof VeronaError) return error;
  const { name, message } = (error ?? {}) as Error;
  const code = codeOf(error, name);
  const text = code === 'not_found' ? 'no such object' : (message ?? '').slice(0, MESSAGE_LENGTH_MAX);
  return new VeronaError(code, `${what}: ${text}`, { cause: error });
}

function codeOf(error: unknown, name: string): ErrorCode {
  if (name === 'TimeoutError') return 'timeout';
  const status = statusOfAnswer(error);
  if (status === undefined)
    return isNetworkError(error) || isNetworkError((error as Error).cause) ? 'unavailable' : 'internal';
  if (isRetryableStatus(status)) return 'unavailable';
  if (error instanceof StoreAnswer && error.isFatal) return 'internal';
  if (status === 404) return 'not_found';
  return status === 409 || status === 412 ? 'conflict' : 'internal';
}

/** The status of the answer behind an error; undefined when there was no answer. */
function statusOfAnswer(error: unknown): number | undefined {
  const { status, statusCode } = (error ?? {}) as { status?: unknown; statusCode?: unknown };
  if (typeof status === 'number') return status;
  return typeof statusCode === 'number' ? statusCode : undefined;
}
