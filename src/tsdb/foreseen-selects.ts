import type { PlainSelect } from './remote-head.ts';

/** The span of time that a query is about, ms: the same query comes again with another one. */
export interface QuerySpan {
  readonly start: number;
  readonly end: number;
}

const QUERIES_MAX = 1024;
const SELECTS_MAX = 8;
const KEY_LENGTH_MAX = 2048;

/**
 * What queries asked of a head the last time, so that the answers can go along with the query when it comes again: small
 * queries spend more on asking than on evaluating. Wrong guesses cost a select, never an answer, since a query takes
 * what was foreseen only when it is exactly what it asks.
 */
export class ForeseenSelects {
  /** The least recently used first. Times are relative to the span of the query. */
  readonly #known = new Map<string, readonly PlainSelect[]>();

  /** What the query with this key will ask, if it asks what it asked before. */
  of(key: string, { start, end }: QuerySpan): PlainSelect[] {
    const selects = this.#known.get(key);
    if (selects === undefined) return [];
    this.#known.delete(key);
    this.#known.set(key, selects);
    return selects.map((select) => ({ ...select, mint: select.mint + start, maxt: select.maxt + end }));
  }

  /** Remembers what a query asked; nothing when that was too much to foresee. */
  learn(key: string, { start, end }: QuerySpan, selects: readonly PlainSelect[]): void {
    this.#known.delete(key);
    if (selects.length === 0 || selects.length > SELECTS_MAX || key.length > KEY_LENGTH_MAX) return;
    const relative = selects.map((select) => ({
      ...select,
      mint: select.mint - start,
      maxt: select.maxt - end,
    }));
    this.#known.set(key, relative);
    if (this.#known.size <= QUERIES_MAX) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }
}

/** Equal selects have equal keys. */
export function selectKey({ matchers, mint, maxt, sorted, hints }: PlainSelect): string {
  return JSON.stringify([matchers, mint, maxt, sorted, hints]);
}
