import type { Clock } from '../platform/clock.ts';
import type { KernelPool } from './exec/kernel-pool.ts';
import type { RemoteEngines } from './exec/remote-engines.ts';
import type { SeriesTeam } from './exec/series-team.ts';
import type { SharedBudget } from './exec/shared-budget.ts';
import type { Features as SyntaxFeatures } from './parser/options.ts';
import type { OptionalRewrite } from './plan/plan.ts';

export type Features = SyntaxFeatures & {
  readonly 'promql-delayed-name-removal'?: boolean;
  /** Statistics of a query may have a number per step. Read by who answers, not by the engine. */
  readonly 'promql-per-step-stats'?: boolean;
  readonly 'use-start-timestamps'?: boolean;
  /** Whether a metric is a counter is told by its label `__type__`, not by its name. */
  readonly 'type-and-unit-labels'?: boolean;
};

export interface EngineOptions {
  readonly lookbackDeltaMs?: number;
  /** Samples, and bytes of samples, that one query may hold at one time. */
  readonly maxSamples?: number;
  readonly maxBytes?: number;
  readonly timeoutMs?: number;
  /** Steps of a range query. */
  readonly maxPointsPerSeries?: number;
  /** The step of subqueries that name none. */
  readonly subqueryStepMs?: number;
  readonly features?: Features;
  /** Rewrites of plans to leave out, for tests. */
  readonly withoutRewrites?: readonly OptionalRewrite[];
  /** Most cells (series × steps) of one batch between operators. */
  readonly batchCells?: number;
  /** Most cells of the rows of a subquery that are made at once, where it can do with less. */
  readonly subqueryCells?: number;
  /** Without one, queries neither time out by themselves nor pause for other work of their thread. */
  readonly clock?: Clock;
  /** Shared by engines of one thread. */
  readonly kernels?: KernelPool;
  /** What all queries of the process together may hold. */
  readonly budget?: SharedBudget;
}

export interface QueryOptions {
  /** Other threads that take some of the series. */
  readonly team?: SeriesTeam;
  /** Other processes that aggregate the series they hold themselves. */
  readonly remote?: RemoteEngines;
  /** How far an instant selector looks back; undefined or 0: the engine's. */
  readonly lookbackDeltaMs?: number;
  /**
   * How far apart samples between two times lie, both ms, 0 when that is not known: where the query does not say how far an
   * instant selector looks back, it is at least so far.
   */
  readonly spacingOf?: (mint: number, maxt: number) => number;
  /** Watch every operator: `analysis` of the result. */
  readonly analyze?: boolean;
  /** Count samples by step, as Prometheus does: `stats.samplesPerStep`. */
  readonly countSteps?: boolean;
}

export interface InstantOptions extends QueryOptions {
  readonly timeMs: number;
}

export interface RangeOptions extends QueryOptions {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}
