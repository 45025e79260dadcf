import { type ErrorCode, VeronaError } from '../model/errors.ts';
import { isNetworkError, isRetryableStatus } from './retry.ts';
import { BrokenBody } from './s3-body.ts';
import { certificateProblem } from './tls.ts';

const MESSAGE_LENGTH_MAX = 300;

/** Refusals by Amazon's names that pass, whatever their status: a slow sender, a clock that is set by the answer, two writers at once. */
const PASSING = new Set([
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'OperationAborted',
  'ConditionalRequestConflict',
]);

/** Whether the same request may succeed later. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof BrokenBody) return isNetworkError(error.cause);
  if (error instanceof VeronaError || (error as Error | undefined)?.name === 'AbortError') return false;
  if (PASSING.has((error as Error | undefined)?.name ?? '')) return true;
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

/** The bucket's error for one of the S3 client: by the answer's status, or by what the network did. */
export function s3Error(what: string, error: unknown): VeronaError {
  if (error instanceof VeronaError) return error;
  const { name, message } = (error ?? {}) as Error;
  const cause = error instanceof Error && error.cause ? error.cause : error;
  const text =
    certificateProblem(error) ??
    (name === 'NotFound' || name === 'NoSuchKey' ? 'no such object' : `${name}: ${short(message)}`);
  return new VeronaError(codeOf(error, cause), `${what}: ${text}`, { cause: error });
}

function codeOf(error: unknown, cause: unknown): ErrorCode {
  const name = (error as Error | undefined)?.name;
  const status = statusOf(error);
  if ([name, (cause as Error | undefined)?.name].includes('TimeoutError')) return 'timeout';
  if (status === undefined)
    return isNetworkError(error) || isNetworkError(cause) ? 'unavailable' : 'internal';
  if (isRetryableStatus(status) || PASSING.has(name ?? '')) return 'unavailable';
  // Without the bucket nothing will be found, now or later; with it this key may be.
  if (status === 404) return name === 'NoSuchBucket' ? 'internal' : 'not_found';
  if (status === 409 || status === 412) return 'conflict';
  return 'internal';
}

function short(message: string | undefined): string {
  return (message ?? '').slice(0, MESSAGE_LENGTH_MAX);
}
