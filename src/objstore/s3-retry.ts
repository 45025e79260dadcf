import type { Random } from '../platform/random.ts';

const DELAY_MS_FIRST = 100;
const DELAY_MS_MAX = 10_000;

interface RetryToken {
  getRetryCount(): number;
  getRetryDelay(): number;
}

/**
 * When the S3 client tries again: after network errors, timeouts and answers of 500 and above, `retriesMax` times,
 * each after a random part of a delay that doubles. Never after an answer below 500: asked again it says the same.
 */
export class S3Retry {
  readonly #random: Random;
  readonly #retriesMax: number;

  constructor(random: Random, retriesMax: number) {
    this.#random = random;
    this.#retriesMax = retriesMax;
  }

  async acquireInitialRetryToken(): Promise<RetryToken> {
    return token(0, 0);
  }

  /** Throws to give up; the client then fails with the error it had. */
  async refreshRetryTokenForRetry(last: RetryToken, { error }: { error?: unknown }): Promise<RetryToken> {
    const count = last.getRetryCount() + 1;
    if (count > this.#retriesMax || !isRetryable(error)) throw error;
    return token(count, this.delayMs(count));
  }

  recordSuccess(): void {}

  /** The wait before try number `count` after the first. */
  delayMs(count: number): number {
    const ceiling = Math.min(DELAY_MS_MAX, DELAY_MS_FIRST * 2 ** (count - 1));
    return Math.ceil(ceiling * (0.5 + this.#random.next() / 2));
  }
}

/** Whether the same request may succeed later. */
export function isRetryable(error: unknown): boolean {
  if ((error as Error | undefined)?.name === 'AbortError') return false;
  const status = statusOf(error);
  return status !== undefined ? status >= 500 : isNetworkError(error);
}

/** The HTTP status of the answer that an error stands for; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as {
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number };
  };
  return $metadata?.httpStatusCode ?? $response?.statusCode;
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
]);

/** Whether the network failed rather than the store. */
export function isNetworkError(error: unknown): boolean {
  const { code, name, message } = (error ?? {}) as { code?: string; name?: string; message?: string };
  return (
    name === 'TimeoutError' ||
    NETWORK_CODES.has(code ?? '') ||
    message === 'aborted' ||
    message === 'socket hang up'
  );
}

function token(count: number, delayMs: number): RetryToken {
  return { getRetryCount: () => count, getRetryDelay: () => delayMs };
}
