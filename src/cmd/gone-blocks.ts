import { VeronaError } from '../model/errors.ts';
import { SingleFlight } from '../platform/single-flight.ts';

/**
 * Runs what reads blocks in the bucket, and once more after a look at the bucket when something that it read is gone: other
 * processes join and delete blocks, and a list of them is only as good as its age. One look serves all queries of a tenant
 * that fail during it.
 */
export class GoneBlocks {
  readonly #look: (tenant: string) => Promise<void>;
  readonly #looks = new SingleFlight<void>();

  /** `look` learns anew which blocks a tenant has. */
  constructor(look: (tenant: string) => Promise<void>) {
    this.#look = look;
  }

  /** Rejects as `attempt` does; with `unavailable` when something is gone the second time too. */
  async again<T>(tenant: string, attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    await this.#looks.run(tenant, () => this.#look(tenant));
    try {
      return await attempt();
    } catch (error) {
      if (!isGone(error)) throw error;
      throw new VeronaError(
        'unavailable',
        `blocks are deleted faster than they are listed; try again: ${error.message}`,
      );
    }
  }
}

function isGone(error: unknown): error is VeronaError {
  return error instanceof VeronaError && error.code === 'not_found';
}
