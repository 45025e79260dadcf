import { VeronaError } from '../../model/errors.ts';
import type { Span } from './ast.ts';
import { positionText } from './position.ts';

/** One thing wrong with a query, where it is. */
export interface Problem extends Span {
  readonly message: string;
  /** What may have been meant; not part of what Prometheus says. */
  readonly hint?: string;
}

/** Problems after this many are not kept; the first is what the caller is told. */
const PROBLEMS_MAX = 100;

/** Collects what is wrong with one query text while parsing goes on. */
export class Problems {
  readonly text: string;
  readonly #found: Problem[] = [];

  constructor(text: string) {
    this.text = text;
  }

  get found(): readonly Problem[] {
    return this.#found;
  }

  add({ start, end }: Span, message: string, hint?: string): void {
    if (this.#found.length < PROBLEMS_MAX) this.#found.push({ start, end, message, ...(hint && { hint }) });
  }

  /** Notes a problem after which parsing cannot go on, and leaves the parser. */
  stop(span: Span, message: string): never {
    this.add(span, message);
    return this.leave();
  }

  /** Leaves the parser because of a problem that was noted before. */
  leave(): never {
    throw new Stopped();
  }

  /** Runs a parser; `undefined` when it was left by `stop`. */
  attempt<T>(parse: () => T): T | undefined {
    try {
      return parse();
    } catch (error) {
      if (error instanceof Stopped) return undefined;
      throw error;
    }
  }
}

/** Unwinds the parser; never leaves this folder. */
class Stopped extends Error {}

/** A problem as Prometheus words it: `1:5: parse error: unexpected …`, and a hint if there is one. */
export function problemText(text: string, { start, message, hint }: Problem): string {
  return `${positionText(text, start)}: parse error: ${message}${hint === undefined ? '' : `, ${hint}`}`;
}

/** The first problem as an error with code `bad_data`. */
export function parseError(text: string, problems: readonly Problem[]): VeronaError {
  return new VeronaError('bad_data', problemText(text, problems[0]));
}
