import { askKey, type LastingAsk, shapeOfLabels, shapeOfSelect } from './head-ask.ts';

/** The span of time that a query is about, ms: the same query comes again with another one. */
export interface QuerySpan {
  readonly start: number;
  readonly end: number;
}

/** An ask that is likely to come, with its key. */
export interface ForeseenAsk {
  readonly ask: LastingAsk;
  readonly key: string;
}

const QUERIES_MAX = 1024;
const ASKS_MAX = 8;
const KEY_LENGTH_MAX = 2048;

interface Known {
  /** Times are relative to the span of the query. */
  readonly ask: LastingAsk;
  readonly shape: string;
}

/**
 * What queries asked of a head the last time, so that the answers can go along with the query when it comes again: small
 * queries spend more on asking than on evaluating. Wrong guesses cost a select, never an answer, since a query takes
 * what was foreseen only when it is exactly what it asks.
 */
export class ForeseenAsks {
  /** The least recently used first. */
  readonly #known = new Map<string, readonly Known[]>();

  /** What the query with this key will ask, if it asks what it asked before. */
  of(key: string, { start, end }: QuerySpan): ForeseenAsk[] {
    const asks = this.#known.get(key);
    if (asks === undefined) return [];
    this.#known.delete(key);
    this.#known.set(key, asks);
    return asks.map(({ ask, shape }) => {
      const [mint, maxt] = [ask.mint + start, ask.maxt + end];
      return { ask: { ...ask, mint, maxt }, key: askKey(shape, mint, maxt) };
    });
  }

  /** Remembers what a query asked; nothing when that was too much to foresee. */
  learn(key: string, { start, end }: QuerySpan, asks: readonly LastingAsk[]): void {
    this.#known.delete(key);
    if (asks.length === 0 || asks.length > ASKS_MAX || key.length > KEY_LENGTH_MAX) return;
    const known = asks.map((ask) => ({
      ask: { ...ask, mint: ask.mint - start, maxt: ask.maxt - end },
      shape: shapeOf(ask),
    }));
    this.#known.set(key, known);
    if (this.#known.size <= QUERIES_MAX) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }
}

function shapeOf(ask: LastingAsk): string {
  if (ask.op === 'select') return shapeOfSelect(ask.request);
  return shapeOfLabels(ask.op === 'labelValues' ? ask.name : undefined, ask.request);
}
