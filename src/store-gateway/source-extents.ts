/** A block as far as it tells when its sources are. */
export interface SourceHolder {
  readonly ulid: string;
  readonly mint: number;
  /** Exclusive. */
  readonly maxt: number;
  readonly sources: readonly string[];
}

/** ms, the end exclusive. */
export interface Extent {
  readonly mint: number;
  readonly maxt: number;
}

/**
 * When the samples of a source can lie, as far as the blocks tell that were made of it: in the time that all of them have in
 * common. Where they have none it was split by time, and each of them may have some.
 */
export class SourceExtents {
  readonly #common = new Map<string, Extent>();
  readonly #hull = new Map<string, Extent>();

  constructor(holders: Iterable<SourceHolder>) {
    for (const { ulid, mint, maxt, sources } of holders)
      for (const source of sources.length > 0 ? sources : [ulid]) {
        const common = this.#common.get(source) ?? { mint, maxt };
        const hull = this.#hull.get(source) ?? { mint, maxt };
        this.#common.set(source, { mint: Math.max(common.mint, mint), maxt: Math.min(common.maxt, maxt) });
        this.#hull.set(source, { mint: Math.min(hull.mint, mint), maxt: Math.max(hull.maxt, maxt) });
      }
  }

  /** Undefined for one that no block was made of. */
  of(source: string): Extent | undefined {
    const common = this.#common.get(source);
    return common && common.mint < common.maxt ? common : this.#hull.get(source);
  }
}
