import { type ServiceError, status } from '@grpc/grpc-js';
import { type ErrorCode, VeronaError } from '../model/errors.ts';

const CODES: Readonly<Record<ErrorCode, status>> = {
  bad_data: status.INVALID_ARGUMENT,
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  not_found: status.NOT_FOUND,
  conflict: status.FAILED_PRECONDITION,
  too_large: status.RESOURCE_EXHAUSTED,
  unsupported_media: status.UNIMPLEMENTED,
  execution: status.ABORTED,
  limit: status.RESOURCE_EXHAUSTED,
  rate_limited: status.RESOURCE_EXHAUSTED,
  canceled: status.CANCELLED,
  timeout: status.DEADLINE_EXCEEDED,
  unavailable: status.UNAVAILABLE,
  corrupt: status.DATA_LOSS,
  internal: status.INTERNAL,
};

const BACK: ReadonlyMap<status, ErrorCode> = new Map<status, ErrorCode>([
  [status.INVALID_ARGUMENT, 'bad_data'],
  [status.NOT_FOUND, 'not_found'],
  [status.FAILED_PRECONDITION, 'conflict'],
  [status.RESOURCE_EXHAUSTED, 'limit'],
  [status.CANCELLED, 'canceled'],
  [status.DEADLINE_EXCEEDED, 'timeout'],
  [status.UNAVAILABLE, 'unavailable'],
  [status.DATA_LOSS, 'corrupt'],
  [status.ABORTED, 'execution'],
  [status.UNIMPLEMENTED, 'unsupported_media'],
  // Who asks us is not the one whose credentials the peer refuses.
  [status.UNAUTHENTICATED, 'unavailable'],
  [status.PERMISSION_DENIED, 'unavailable'],
]);

/** An error as gRPC tells it. What is not ours says only that it happened: its text may hold secrets. */
export function toGrpcError(error: unknown): { code: status; details: string } {
  if (error instanceof VeronaError) return { code: CODES[error.code], details: error.message };
  return { code: status.INTERNAL, details: 'internal error; the server’s log has it' };
}

/** What a call of a peer failed with, as ours. */
export function fromGrpcError(endpoint: string, error: unknown): VeronaError {
  if (error instanceof VeronaError) return error;
  const { code, details, message } = error as Partial<ServiceError>;
  const text = details || message || String(error);
  return new VeronaError((code !== undefined && BACK.get(code)) || 'internal', `${endpoint}: ${text}`, {
    cause: error,
  });
}
