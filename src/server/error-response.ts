import { type ErrorCode, messageOf, VeronaError } from '../model/errors.ts';
import type { HttpResponse } from '../platform/http.ts';

const STATUS: Readonly<Record<ErrorCode, number>> = {
  bad_data: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  unsupported_media: 415,
  execution: 422,
  limit: 422,
  rate_limited: 429,
  canceled: 499,
  timeout: 503,
  unavailable: 503,
  corrupt: 500,
  internal: 500,
};

/** Prometheus' `errorType`, for the codes it has a word for. */
const ERROR_TYPE: Partial<Record<ErrorCode, string>> = {
  limit: 'execution',
  corrupt: 'internal',
  too_large: 'bad_data',
  unsupported_media: 'bad_data',
  rate_limited: 'too_many_requests',
};

/** The answer to a failed request, in the envelope of Prometheus' API. */
export function errorResponse(error: unknown): HttpResponse {
  const code = codeOf(error);
  const message = messageOf(error);
  return {
    status: STATUS[code],
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(code === 'rate_limited' || code === 'unavailable' ? { 'retry-after': '5' } : {}),
    },
    body: JSON.stringify({ status: 'error', errorType: ERROR_TYPE[code] ?? code, error: message }),
  };
}

/** fastify's own errors carry a status; every other foreign error is ours to explain. */
function codeOf(error: unknown): ErrorCode {
  if (error instanceof VeronaError) return error.code;
  const status = (error as { statusCode?: number } | undefined)?.statusCode;
  if (status === 413) return 'too_large';
  if (status === 415) return 'unsupported_media';
  return status !== undefined && status >= 400 && status < 500 ? 'bad_data' : 'internal';
}
