import { loadRegex, wantsRegex } from '../../model/late-re2.ts';
import type { Queryable, ReadContext } from '../../storage/querier.ts';
import { Engine as Inner } from '../engine.ts';
import type { Expr } from '../parser/ast.ts';
import type { PlanTree } from '../plan/plan-tree.ts';
import type { EngineOptions, InstantOptions, RangeOptions } from '../query-options.ts';
import type { QueryResult } from '../query-result.ts';

/** Evaluates PromQL over a `Queryable`; see `engine.ts`. Loads the library for the rarer regular expressions when a query has one. */
export class Engine {
  readonly #engine: Inner;

  constructor(options: EngineOptions = {}) {
    this.#engine = new Inner(options);
  }

  /** The checked tree of a query. Throws `bad_data`, or `unavailable` when `loadRegex` must come first. */
  parse(text: string): Expr {
    return this.#engine.parse(text);
  }

  /** Evaluates at one time. Rejects with `bad_data`, `execution`, `canceled`, `timeout`, or what the source throws. */
  instant(ctx: ReadContext, source: Queryable, query: string, options: InstantOptions): Promise<QueryResult> {
    return withRegex(() => this.#engine.instant(ctx, source, query, options));
  }

  /** Evaluates at start, start + step, … up to and including end. */
  range(ctx: ReadContext, source: Queryable, query: string, options: RangeOptions): Promise<QueryResult> {
    return withRegex(() => this.#engine.range(ctx, source, query, options));
  }

  /** The plan of a query as indented text. Throws as `parse`. */
  explain(query: string, options: RangeOptions): string {
    return this.#engine.explain(query, options);
  }

  /** The plan as it was written and as it would be run. Throws as `parse`. */
  plans(query: string, options: InstantOptions | RangeOptions): { before: PlanTree; after: PlanTree } {
    return this.#engine.plans(query, options);
  }
}

async function withRegex<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!wantsRegex(error)) throw error;
    await loadRegex();
    return run();
  }
}
