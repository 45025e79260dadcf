import { isNetworkError, isRetryableStatus, type RetryPolicy } from './retry.ts';

interface RetryToken {
  getRetryCount(): number;
  getRetryDelay(): number;
}

/** The house's rules of trying again in the form the S3 client asks them. */
export class S3Retry {
  readonly #policy: RetryPolicy;

  constructor(policy: RetryPolicy) {
    this.#policy = policy;
  }

  async acquireInitialRetryToken(): Promise<RetryToken> {
    return token(0, 0);
  }

  /** Throws to give up; the client then fails with the error it had. */
  async refreshRetryTokenForRetry(last: RetryToken, { error }: { error?: unknown }): Promise<RetryToken> {
    const count = last.getRetryCount() + 1;
    if (!isRetryable(error) || !this.#policy.take(count)) throw error;
    return token(count, this.#policy.delayMs(count));
  }

  recordSuccess(): void {
    this.#policy.succeeded();
  }
}

/** Whether the same request may succeed later. */
export function isRetryable(error: unknown): boolean {
  if ((error as Error | undefined)?.name === 'AbortError') return false;
  const status = statusOf(error);
  return status !== undefined ? isRetryableStatus(status) : isNetworkError(error);
}

/** The HTTP status of the answer that an error stands for; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as {
    $metadata?: { httpStatusCode?: number };
    $response?: { statusCode?: number };
  };
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

function token(count: number, delayMs: number): RetryToken {
  return { getRetryCount: () => count, getRetryDelay: () => delayMs };
}
