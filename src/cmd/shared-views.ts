import type { TenantView } from './query-thread.ts';

/** Views that are kept; one more is made anew. */
const VIEWS_MAX = 512;

/**
 * Gives the same object for the same view: query threads keep what they were told, and a query then names it by a number
 * instead of having all blocks and deletions copied.
 */
export class SharedViews {
  readonly #known = new Map<string, TenantView>();

  /** The view, or an earlier one of that key (the tenant and what else tells views apart) that says the same. */
  of(key: string, view: TenantView): TenantView {
    const known = this.#known.get(key);
    if (known !== undefined && isSame(known, view)) return known;
    this.#known.delete(key);
    this.#known.set(key, view);
    const [oldest] = this.#known.keys();
    if (this.#known.size > VIEWS_MAX) this.#known.delete(oldest);
    return view;
  }
}

function isSame(a: TenantView, b: TenantView): boolean {
  return (
    a.remote === b.remote &&
    a.dedup === b.dedup &&
    a.bucketBlocks === b.bucketBlocks &&
    isSameReads(a.bucketReads, b.bucketReads) &&
    isSameList(a.deletions, b.deletions) &&
    isSameList(a.warnings, b.warnings) &&
    isSameList(a.replicaLabels, b.replicaLabels) &&
    isSameLocal(a.local, b.local)
  );
}

/** The share is that of the process. */
function isSameReads(a: TenantView['bucketReads'], b: TenantView['bucketReads']): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.window.mint === b.window.mint &&
    a.window.maxt === b.window.maxt &&
    a.limits.chunksMax === b.limits.chunksMax &&
    a.limits.bytesMax === b.limits.bytesMax
  );
}

function isSameLocal(a: TenantView['local'], b: TenantView['local']): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.dir === b.dir &&
    a.hasHead === b.hasHead &&
    a.oldestChunkFile === b.oldestChunkFile &&
    a.blocks.length === b.blocks.length &&
    a.blocks.every(
      ({ ulid, tombstonesVersion }, i) =>
        ulid === b.blocks[i].ulid && tombstonesVersion === b.blocks[i].tombstonesVersion,
    )
  );
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
