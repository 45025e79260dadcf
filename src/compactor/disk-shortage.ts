import { VeronaError } from '../model/errors.ts';

const DISK_FULL = new Set(['ENOSPC', 'EDQUOT']);
/** Errors have no more causes behind them. */
const CAUSES_MAX = 10;

/** A disk is too full for a job. Nothing is wrong with its blocks, and there may be room later. */
export class DiskShortage extends VeronaError {
  /** Whether the job had begun: then trying again costs something. */
  readonly hasBegun: boolean;

  private constructor(message: string, hasBegun: boolean, options?: ErrorOptions) {
    super('unavailable', message, options);
    this.name = 'DiskShortage';
    this.hasBegun = hasBegun;
  }

  /** A job that is not begun. Sizes are bytes. */
  static before(neededBytes: number, freeBytes: number): DiskShortage {
    return new DiskShortage(
      `the job needs ${neededBytes} bytes of disk, ${Math.max(0, freeBytes)} are free`,
      false,
    );
  }

  /** A job that was broken off; `step` is what it was doing. */
  static during(step: string, cause: Error): DiskShortage {
    return new DiskShortage(`disk full in step ${step}: ${cause.message}`, true, { cause });
  }

  /** As it was told on another thread. */
  static of(message: string, hasBegun: boolean): DiskShortage {
    return new DiskShortage(message, hasBegun);
  }
}

/** Whether an error, or one that caused it, says that a disk has no room. */
export function isDiskFull(error: unknown): boolean {
  for (let i = 0, at = error; i < CAUSES_MAX && at instanceof Error; i++, at = at.cause)
    if (DISK_FULL.has((at as NodeJS.ErrnoException).code ?? '')) return true;
  return false;
}
