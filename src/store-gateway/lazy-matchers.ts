import type { Matcher } from '../model/matcher.ts';
import type { BlockSymbols } from './block-symbols.ts';

/** Matchers that are asked of the series themselves; each value of a label once. */
export class LazyMatchers {
  readonly #symbols: BlockSymbols;
  readonly #matchers: readonly { readonly matcher: Matcher; readonly known: Map<number, boolean> }[];

  constructor(matchers: readonly Matcher[], symbols: BlockSymbols) {
    this.#symbols = symbols;
    this.#matchers = matchers.map((matcher) => ({ matcher, known: new Map() }));
  }

  /** Of a series by the numbers of its symbols: name, value, name, value … */
  matches(labelSymbols: readonly number[]): boolean {
    return this.#matchers.every(({ matcher, known }) => {
      const number = this.#symbols.valueNumber(labelSymbols, matcher.name);
      const before = known.get(number);
      if (before !== undefined) return before;
      const matches = matcher.matches(number < 0 ? '' : this.#symbols.textOf(number));
      if (known.size >= KNOWN_MAX) known.clear();
      known.set(number, matches);
      return matches;
    });
  }
}

const KNOWN_MAX = 10_000;
