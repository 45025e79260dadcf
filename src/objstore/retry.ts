import type { Random } from '../platform/random.ts';

const DELAY_MS_FIRST = 100;
const DELAY_MS_MAX = 10_000;
const BUDGET_MAX = 100;
const BUDGET_PER_SUCCESS = 0.1;

/**
 * When a request to a store is tried again: at most `retriesMax` times, each after a random part of a delay that doubles.
 * All requests share a budget: a store that is down gets its first hundred retries, then one for every ten answers.
 */
export class RetryPolicy {
  readonly retriesMax: number;
  readonly #random: Random;
  #budget = BUDGET_MAX;

  constructor(random: Random, retriesMax: number) {
    this.#random = random;
    this.retriesMax = retriesMax;
  }

  /** Whether try number `count` after the first may be made; takes it from the budget. */
  take(count: number): boolean {
    if (count > this.retriesMax || this.#budget < 1) return false;
    this.#budget--;
    return true;
  }

  succeeded(): void {
    this.#budget = Math.min(BUDGET_MAX, this.#budget + BUDGET_PER_SUCCESS);
  }

  /** The wait before try number `count` after the first. */
  delayMs(count: number): number {
    const ceiling = Math.min(DELAY_MS_MAX, DELAY_MS_FIRST * 2 ** (count - 1));
    return Math.ceil(ceiling * (0.5 + this.#random.next() / 2));
  }
}

/**
 * Whether the same request may succeed later, by the status of its answer: server errors, but not that it knows no such
 * request, and the two that ask to wait.
 */
export function isRetryableStatus(status: number): boolean {
  return (status >= 500 && status !== 501) || status === 429 || status === 408;
}

const NETWORK_CODES = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_STREAM_PREMATURE_CLOSE',
  'REQUEST_SEND_ERROR',
]);

/** Whether the network failed rather than the store. */
export function isNetworkError(error: unknown): boolean {
  const { code, name, message } = (error ?? {}) as { code?: string; name?: string; message?: string };
  return (
    name === 'TimeoutError' ||
    NETWORK_CODES.has(code ?? '') ||
    message === 'aborted' ||
    message === 'socket hang up' ||
    /premature close/i.test(message ?? '')
  );
}
