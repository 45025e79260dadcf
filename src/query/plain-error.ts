import { type ErrorCode, VeronaError } from '../model/errors.ts';
import type { PlainError } from './thread-protocol.ts';

/** An error as plain data, to travel between threads. */
export function toPlainError(error: unknown): PlainError {
  if (error instanceof VeronaError) return { code: error.code, message: error.message };
  return {
    code: 'internal',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}

export function fromPlainError({ code, message }: PlainError): VeronaError {
  return new VeronaError(code as ErrorCode, message);
}
