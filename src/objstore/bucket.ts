import { VeronaError } from '../model/errors.ts';

/** Carried by every call: cancellation with its deadline. A read's context fits. */
export interface BucketContext {
  readonly signal: AbortSignal;
}

export interface ObjectAttributes {
  readonly sizeBytes: number;
  /** When the object was stored, whole ms since the epoch; some stores know whole seconds only. */
  readonly modifiedMs: number;
}

/** One line of a listing: an object, or (by delimiter only) a folder, whose key ends in `/`. */
export type ListEntry =
  | { readonly kind: 'object'; readonly key: string; readonly sizeBytes: number; readonly modifiedMs: number }
  | { readonly kind: 'folder'; readonly key: string };

export interface ListOptions {
  /** All objects below the prefix; otherwise its direct objects and folders. */
  readonly recursive?: boolean;
  /** Only keys that order after this one. */
  readonly startAfter?: string;
}

/** Whole bytes, or pieces of any size in order. */
export type UploadBody = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * Objects by key, the form in which every store of blocks is seen. Keys are `/` separated (`assertKey`). A finished
 * write is seen by every later read and listing, and an object is seen whole or not at all. Returned bytes belong
 * to the caller; given bytes must not change until the call is settled.
 *
 * Errors are `VeronaError`: `not_found`, `conflict` (`create` of what exists), `bad_data` (a key or range that
 * cannot be), `too_large`, `canceled` and `timeout` (by the signal or the store's own limit), `unavailable` (may work
 * later), `internal` (will not work later either: refused credentials, no such bucket).
 */
export interface Bucket {
  /** Names the store in errors and logs; holds no secret. */
  readonly name: string;
  /** The whole object; `too_large` when it is larger than `sizeBytesMax` (`GET_SIZE_BYTES_MAX` when not given). */
  get(ctx: BucketContext, key: string, sizeBytesMax?: number): Promise<Uint8Array>;
  /** `length` bytes from `offset`; fewer, down to none, only at the end of the object. */
  getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array>;
  /**
   * Where objects are files of a disk: gives one a second name there, which its deletion does not take away and whose content must
   * not be changed. False where that cannot be, as on another disk; a store without files has no such method.
   */
  link?(ctx: BucketContext, key: string, path: string): Promise<boolean>;
  /** Stores or replaces. When the body or the call fails or is cancelled, what was there before stays. */
  upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void>;
  /** Stores only if nothing is there; of several callers at once exactly one wins. For small objects. */
  create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void>;
  exists(ctx: BucketContext, key: string): Promise<boolean>;
  attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes>;
  /** Absent is fine. */
  delete(ctx: BucketContext, key: string): Promise<void>;
  /** Entries below `prefix` (empty, or ending in `/`) in the order of their keys' UTF-8 bytes, fetched page by page while iterating. */
  list(ctx: BucketContext, prefix: string, options?: ListOptions): AsyncIterable<ListEntry>;
  close(): Promise<void>;
}

export const GET_SIZE_BYTES_MAX = 256 * 1024 * 1024;
const KEY_BYTES_MAX = 1024;

/** Throws `bad_data` unless `key` is usable in every store: 1 to 1024 bytes, no empty segment, no `.` or `..`, no control character. */
export function assertKey(key: string): void {
  if (!isKey(key)) throw new VeronaError('bad_data', `object key ${JSON.stringify(key)} is not usable`);
}

/** Whether `assertKey` accepts it. */
export function isKey(key: string): boolean {
  return key !== '' && Buffer.byteLength(key) <= KEY_BYTES_MAX && hasPlainSegments(key);
}

/** Throws `bad_data` unless `prefix` is empty or a usable key followed by `/`. */
export function assertPrefix(prefix: string): void {
  if (prefix === '') return;
  if (!prefix.endsWith('/'))
    throw new VeronaError('bad_data', `prefix ${JSON.stringify(prefix)} does not end in /`);
  assertKey(prefix.slice(0, -1));
}

/** Throws `bad_data` unless the range is one that can be asked for. */
export function assertRange(key: string, offset: number, length: number): void {
  const fine = Number.isSafeInteger(offset) && offset >= 0 && Number.isSafeInteger(length) && length > 0;
  if (!fine) throw new VeronaError('bad_data', `read ${key}: range of ${length} bytes at ${offset}`);
}

/** Throws `canceled`, or `timeout` when a deadline was the reason, once the signal has aborted. */
export function assertNotAborted(ctx: BucketContext, what: string): void {
  if (ctx.signal.aborted) throw abortError(ctx.signal, what);
}

/** What a listing is called in errors. */
export function listOf(prefix: string): string {
  return `list ${prefix || 'the root of the bucket'}`;
}

/** The error for a call that its signal ended. */
export function abortError(signal: AbortSignal, what: string): VeronaError {
  const reason: unknown = signal.reason;
  if (reason instanceof VeronaError)
    return new VeronaError(reason.code, `${what}: ${reason.message}`, { cause: reason });
  const late = reason instanceof Error && reason.name === 'TimeoutError';
  return new VeronaError(
    late ? 'timeout' : 'canceled',
    `${what}: ${late ? 'deadline exceeded' : 'canceled'}`,
    {
      cause: reason,
    },
  );
}

/** The error for an object over the size a reader accepts. */
export function tooLarge(what: string, sizeBytes: number, sizeBytesMax: number): VeronaError {
  return new VeronaError('too_large', `${what}: ${sizeBytes} bytes, at most ${sizeBytesMax} are read`);
}

function hasPlainSegments(key: string): boolean {
  return (
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
    !/[\x00-\x1f\x7f\\]/.test(key) &&
    key.isWellFormed() &&
    key.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  );
}
