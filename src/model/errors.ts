/** What kind of trouble an operating error is; mapped once to HTTP and once to gRPC. */
export type ErrorCode =
  | 'bad_data' // the caller sent something wrong: 400
  | 'unauthenticated' // credentials are missing or wrong: 401
  | 'forbidden' // credentials for another tenant: 403
  | 'not_found' // 404
  | 'conflict' // 409
  | 'too_large' // 413
  | 'unsupported_media' // 415
  | 'execution' // a query that cannot be evaluated: 422
  | 'limit' // a tenant's limit, not to be retried as it is: 422 for queries, 400 for writes
  | 'rate_limited' // to be retried later: 429
  | 'canceled' // the client went away: 499
  | 'timeout' // 503
  | 'unavailable' // not ready, disk full, shutting down: 503
  | 'corrupt' // bytes that do not decode
  | 'internal'; // 500

/**
 * The one class of operating errors. Messages are fragments from outside in with the values,
 * `read block 01J…: index: bad checksum at 4096`; corruption names file and offset.
 */
export class VeronaError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VeronaError';
    this.code = code;
  }
}

/** What a thing that was thrown says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The same error with an outer fragment in front; foreign errors become `internal` unless they carry a code of ours. */
export function wrapError(fragment: string, cause: unknown, code?: ErrorCode): VeronaError {
  const inner = messageOf(cause);
  const innerCode = cause instanceof VeronaError ? cause.code : 'internal';
  return new VeronaError(code ?? innerCode, `${fragment}: ${inner}`, { cause });
}
