import {
  type Annotation,
  type ForcedMonotonicity,
  forcedMonotonicityText,
  joinForcedMonotonicity,
} from '../annotations.ts';
import type { Span } from '../parser/ast.ts';

/** Remarks in the order in which they are made. */
export class RemarkList {
  readonly #found: Annotation[] = [];
  readonly #forced = new Map<string, { forced: ForcedMonotonicity; span: Span }>();

  warn(message: string, span: Span): void {
    this.#found.push({ level: 'warning', message, span });
  }

  /** A warning that is told with how often it was made. */
  count(message: string, span: Span): void {
    this.#found.push({ level: 'warning', message, span, occurrences: 1 });
  }

  info(message: string, span: Span): void {
    this.#found.push({ level: 'info', message, span });
  }

  /** Several of one metric become one. */
  forcedMonotonicity(forced: ForcedMonotonicity, span: Span): void {
    const known = this.#forced.get(forced.metric);
    const joined = known === undefined ? forced : joinForcedMonotonicity(known.forced, forced);
    this.#forced.set(forced.metric, { forced: joined, span });
  }

  all(): Annotation[] {
    const forced = [...this.#forced.values()].map(({ forced, span }): Annotation => {
      return { level: 'info', message: forcedMonotonicityText(forced), span };
    });
    return [...this.#found, ...forced];
  }
}
