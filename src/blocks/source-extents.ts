/** A block as far as it tells when its sources are. */
export interface SourceHolder {
  readonly ulid: string;
  readonly mint: number;
  /** Exclusive. */
  readonly maxt: number;
  readonly sources: readonly string[];
  /** When samples of each source can lie, in the order of `sources`: mint and maxt (exclusive), one after the other. */
  readonly sourceTimes?: readonly number[];
}

/** ms, the end exclusive. */
export interface Extent {
  readonly mint: number;
  readonly maxt: number;
}

/**
 * When the samples of a source can lie, as far as the blocks tell that were made of it: in the time that all of them have in
 * common, or say of it. Where they have none it was split by time, and each of them may have some.
 */
export class SourceExtents {
  readonly #common = new Map<string, Extent>();
  readonly #hull = new Map<string, Extent>();

  constructor(holders: Iterable<SourceHolder>) {
    for (const holder of holders) {
      const sources = holder.sources.length > 0 ? holder.sources : [holder.ulid];
      for (const [i, source] of sources.entries()) this.#add(source, extentIn(holder, i));
    }
  }

  /** Undefined for one that no block was made of. */
  of(source: string): Extent | undefined {
    const common = this.#common.get(source);
    return common && common.mint < common.maxt ? common : this.#hull.get(source);
  }

  /** Of all sources that a block was made of. */
  *entries(): Iterable<readonly [string, Extent]> {
    for (const source of this.#hull.keys()) yield [source, this.of(source) as Extent];
  }

  #add(source: string, { mint, maxt }: Extent): void {
    const common = this.#common.get(source) ?? { mint, maxt };
    const hull = this.#hull.get(source) ?? { mint, maxt };
    this.#common.set(source, { mint: Math.max(common.mint, mint), maxt: Math.min(common.maxt, maxt) });
    this.#hull.set(source, { mint: Math.min(hull.mint, mint), maxt: Math.max(hull.maxt, maxt) });
  }
}

/** What a block says of a source, as far as that is in its own time. */
function extentIn({ mint, maxt, sourceTimes }: SourceHolder, i: number): Extent {
  if (sourceTimes === undefined) return { mint, maxt };
  const said = { mint: Math.max(mint, sourceTimes[2 * i]), maxt: Math.min(maxt, sourceTimes[2 * i + 1]) };
  return said.mint < said.maxt ? said : { mint, maxt };
}

/** Beyond this many the times of sources are not written: it is a list by which queries get on, not more. */
const SOURCES_MAX = 20_000;

/**
 * What `holders` tell of sources, for what is made of them: mint and maxt (exclusive) by source, where that is less than the time
 * of all holders together.
 */
export function knownExtents(
  holders: readonly SourceHolder[],
): Readonly<Record<string, readonly [number, number]>> | undefined {
  const from = Math.min(...holders.map(({ mint }) => mint));
  const to = Math.max(...holders.map(({ maxt }) => maxt));
  const found = [...new SourceExtents(holders).entries()].filter(
    ([, { mint, maxt }]) => mint > from || maxt < to,
  );
  if (found.length === 0 || found.length > SOURCES_MAX) return undefined;
  return Object.fromEntries(found.map(([source, { mint, maxt }]) => [source, [mint, maxt]]));
}
