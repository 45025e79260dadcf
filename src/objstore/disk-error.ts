import { type ErrorCode, VeronaError, wrapError } from '../model/errors.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'not_found',
  EISDIR: 'not_found',
  ENOTDIR: 'not_found',
  EEXIST: 'conflict',
  ENOTEMPTY: 'conflict',
  ENAMETOOLONG: 'bad_data',
  EINVAL: 'bad_data',
  ENOSPC: 'unavailable',
  EDQUOT: 'unavailable',
  EROFS: 'unavailable',
  EIO: 'unavailable',
  EMFILE: 'unavailable',
  ENFILE: 'unavailable',
  EBUSY: 'unavailable',
};

/** The bucket's error for one of the disk. Node's own sentence, with its path, is kept as the cause only. */
export function diskError(what: string, error: unknown): VeronaError {
  if (error instanceof VeronaError) return error;
  const errno = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  const code = CODES[errno];
  if (!code) return wrapError(what, error);
  const text = code === 'not_found' ? 'no such object' : code === 'conflict' ? 'exists' : errno;
  return new VeronaError(code, `${what}: ${text}`, { cause: error });
}

/** As `diskError`, for a write: a file where a folder must be, or a folder where the object must be, is a conflict. */
export function writeError(what: string, error: unknown): VeronaError {
  const errno = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  if (errno !== 'ENOTDIR' && errno !== 'EISDIR') return diskError(what, error);
  return new VeronaError('conflict', `${what}: another object's key is in the way`, { cause: error });
}
