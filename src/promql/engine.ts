import { VeronaError } from '../model/errors.ts';
import type { Querier, Queryable, ReadContext } from '../storage/querier.ts';
import { infoText, renderAnnotations } from './annotations.ts';
import { Analysis } from './exec/analysis.ts';
import { evaluateInstant, evaluateRange } from './exec/evaluate.ts';
import { type Grid, instantGrid, rangeGrid } from './exec/grid.ts';
import { KernelPool } from './exec/kernel-pool.ts';
import { QueryContext } from './exec/query-context.ts';
import { StepCounts } from './exec/step-counts.ts';
import type { Expr } from './parser/ast.ts';
import { parseExpr } from './parser/parse.ts';
import { buildPlan, type PlanContext } from './plan/build-plan.ts';
import { distribute } from './plan/distribute.ts';
import { type PlanNode, planType } from './plan/node.ts';
import { makePlan } from './plan/plan.ts';
import { type PlanTree, planTree } from './plan/plan-tree.ts';
import { printPlan } from './plan/print-plan.ts';
import { splitBySeries } from './plan/split-by-series.ts';
import { timeRangeOf } from './plan/time-range.ts';
import type { EngineOptions, InstantOptions, QueryOptions, RangeOptions } from './query-options.ts';
import type { QueryResult, QueryValue } from './query-result.ts';

const DEFAULTS = {
  lookbackDeltaMs: 5 * 60_000,
  maxSamples: 50_000_000,
  maxBytes: 2 ** 31,
  timeoutMs: 2 * 60_000,
  maxPointsPerSeries: 11_000,
  subqueryStepMs: 60_000,
  /** 2 MiB of float64: what stays in a processor's cache between operators. */
  batchCells: 2 ** 18,
  withoutRewrites: [],
} as const;

/** Queries whose trees are remembered, and how long their texts may be. Dashboards ask the same ones again and again. */
const PARSED_MAX = 256;
const PARSED_LENGTH_MAX = 8192;

/** Evaluates PromQL over a `Queryable`. Remembers the trees of some queries, nothing of their data, and may run many at once. */
export class Engine {
  readonly #options: Required<Omit<EngineOptions, 'features' | 'clock' | 'budget' | 'subqueryCells'>> &
    EngineOptions;

  readonly #parsed = new Map<string, Expr>();

  constructor(options: EngineOptions = {}) {
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    this.#options = { ...DEFAULTS, kernels: new KernelPool(), ...given };
  }

  /** The checked tree of a query text under the engine's features. Throws `bad_data`. */
  parse(text: string): Expr {
    const known = this.#parsed.get(text);
    if (known !== undefined) return known;
    const expr = parseExpr(text, { features: this.#options.features });
    if (text.length <= PARSED_LENGTH_MAX) this.#remember(text, expr);
    return expr;
  }

  #remember(text: string, expr: Expr): void {
    if (this.#parsed.size >= PARSED_MAX)
      for (const oldest of this.#parsed.keys()) {
        this.#parsed.delete(oldest);
        break;
      }
    this.#parsed.set(text, expr);
  }

  /** Evaluates at one time. Throws `bad_data` (parse), `execution`, `canceled`, `timeout`, or what the source throws. */
  async instant(
    ctx: ReadContext,
    source: Queryable,
    query: string,
    given: InstantOptions,
  ): Promise<QueryResult> {
    const [times, grid] = this.#timesOf(given);
    const { clock } = this.#options;
    const begun = clock?.monotonic() ?? 0;
    const { plan, options, looksBackMs } = this.#planLookingBack(query, times, grid, given);
    const planMs = (clock?.monotonic() ?? 0) - begun;
    const run: Run = { query, plan, times, grid, options, planMs, looksBackMs };
    const result = await this.#run(ctx, source, run, (context) => evaluateInstant(context, plan, grid));
    return result ?? this.instant(ctx, source, query, { ...options, remote: undefined });
  }

  /** Evaluates at start, start + step, … up to and including end. Throws as `instant`; `bad_data` for impossible times. */
  async range(ctx: ReadContext, source: Queryable, query: string, given: RangeOptions): Promise<QueryResult> {
    const [times, grid] = this.#timesOf(given);
    const { clock } = this.#options;
    const begun = clock?.monotonic() ?? 0;
    const { plan, options, looksBackMs } = this.#planLookingBack(query, times, grid, given);
    const type = planType(plan);
    if (type !== 'scalar' && type !== 'vector')
      throw new VeronaError(
        'bad_data',
        `invalid expression type "${type === 'matrix' ? 'range vector' : type}" for range query, must be Scalar or instant Vector`,
      );
    const planMs = (clock?.monotonic() ?? 0) - begun;
    const run: Run = { query, plan, times, grid, options, planMs, looksBackMs };
    const result = await this.#run(ctx, source, run, (context) => evaluateRange(context, plan, grid));
    return result ?? this.range(ctx, source, query, { ...options, remote: undefined });
  }

  /** The plan of a query as indented text. */
  explain(query: string, options: RangeOptions): string {
    const { startMs: start, endMs: end, stepMs: step } = options;
    return printPlan(this.#plan(query, { start, end, step }, rangeGrid(start, end, step), options));
  }

  /** The plan of a query as it was written and as it would be run. */
  plans(query: string, options: InstantOptions | RangeOptions): { before: PlanTree; after: PlanTree } {
    const [times, grid] = this.#timesOf(options);
    const before = buildPlan(this.parse(query), this.#planContext(times));
    return { before: planTree(before), after: planTree(this.#plan(query, times, grid, options)) };
  }

  #timesOf(options: InstantOptions | RangeOptions): [Times, Grid] {
    if ('timeMs' in options) {
      const { timeMs: t } = options;
      requireTime(t);
      return [{ start: t, end: t, step: 0 }, instantGrid(t)];
    }
    const { startMs: start, endMs: end, stepMs: step } = options;
    this.#checkRange(start, end, step);
    return [{ start, end, step }, rangeGrid(start, end, step)];
  }

  #planContext(times: Times): PlanContext {
    const startTimes = this.#options.features?.['use-start-timestamps'] === true;
    return { ...times, subqueryStep: this.#options.subqueryStepMs, startTimes };
  }

  #plan(query: string, times: Times, grid: Grid, options: QueryOptions): PlanNode {
    const own = makePlan(
      this.parse(query),
      this.#planContext(times),
      grid,
      this.#lookback(options),
      this.#options.withoutRewrites,
    );
    const plan = this.#mayDistribute(times, options) ? distribute(own, options.remote!) : own;
    return options.team === undefined ? plan : splitBySeries(plan);
  }

  /** Requests to other processes know whole seconds and no switches. */
  #mayDistribute({ start, end, step }: Times, options: QueryOptions): boolean {
    if (options.remote === undefined) return false;
    const { features } = this.#options;
    if (features?.['promql-delayed-name-removal'] || features?.['type-and-unit-labels']) return false;
    return [start, end, step, this.#lookback(options)].every((ms) => ms % 1000 === 0);
  }

  /** A plan, and the options it was made with: they look back far enough to see a sample where samples are far apart. */
  #planLookingBack<O extends QueryOptions>(
    query: string,
    times: Times,
    grid: Grid,
    given: O,
  ): { plan: PlanNode; options: O; looksBackMs?: number } {
    const planned = (options: O) => ({ plan: this.#plan(query, times, grid, options), options });
    const first = planned(given);
    if (given.spacingOf === undefined || given.lookbackDeltaMs) return first;
    const own = given.remote === undefined ? first : planned({ ...given, remote: undefined });
    const bounds = timeRangeOf(own.plan, ['select']);
    const spacing = bounds ? given.spacingOf(bounds.mint, bounds.maxt) : 0;
    if (spacing <= this.#lookback(given)) return first;
    return { ...planned({ ...given, lookbackDeltaMs: spacing }), looksBackMs: spacing };
  }

  #lookback(options: QueryOptions): number {
    return options.lookbackDeltaMs || this.#options.lookbackDeltaMs;
  }

  #checkRange(start: number, end: number, step: number): void {
    if (!(step > 0))
      throw new VeronaError(
        'bad_data',
        'zero or negative query resolution step widths are not accepted. Try a positive integer',
      );
    requireTime(start);
    requireTime(end);
    if (end < start) throw new VeronaError('bad_data', 'end timestamp must not be before start time');
    if ((end - start) / step > this.#options.maxPointsPerSeries)
      throw new VeronaError(
        'bad_data',
        `exceeded maximum resolution of ${this.#options.maxPointsPerSeries.toLocaleString('en-US')} points per timeseries. Try decreasing the query resolution (?step=XX)`,
      );
  }

  /** undefined when parts were to be evaluated elsewhere and that turned out not to give the answer. */
  async #run(
    ctx: ReadContext,
    source: Queryable,
    run: Run,
    evaluate: (context: QueryContext) => Promise<QueryValue>,
  ): Promise<QueryResult | undefined> {
    const { clock } = this.#options;
    const begun = clock?.monotonic() ?? 0;
    const bounds = timeRangeOf(run.plan) ?? { mint: run.grid.start, maxt: run.grid.start };
    const querier = await source.querier(bounds.mint, bounds.maxt);
    const context = this.#context(ctx, querier, run);
    if (run.looksBackMs !== undefined) context.info(infoText.looksBackFar(run.looksBackMs));
    try {
      const value = await evaluate(context);
      context.finish();
      if (run.options.remote !== undefined && isOfNoUse(context)) return undefined;
      return resultOf(value, context, run, (clock?.monotonic() ?? 0) - begun);
    } finally {
      context.close();
      await querier.close();
    }
  }

  #context(
    read: ReadContext,
    querier: Querier,
    { times, options }: Pick<Run, 'times' | 'options'>,
  ): QueryContext {
    const { maxSamples, maxBytes, timeoutMs, clock, features, batchCells, subqueryCells, kernels, budget } =
      this.#options;
    return new QueryContext({
      read,
      querier,
      lookbackMs: this.#lookback(options),
      delayedNameRemoval: features?.['promql-delayed-name-removal'] === true,
      typeLabels: features?.['type-and-unit-labels'] === true,
      ...times,
      batchCells,
      subqueryCells,
      limits: { maxSamples, maxBytes },
      clock,
      timeoutMs,
      analysis: options.analyze ? new Analysis(() => clock?.monotonic() ?? 0) : undefined,
      stepCounts: options.countSteps ? new StepCounts() : undefined,
      kernels,
      team: options.team,
      remote: options.remote,
      budget,
    });
  }
}

/** One query on its way. */
interface Run {
  readonly query: string;
  readonly plan: PlanNode;
  readonly times: Times;
  readonly grid: Grid;
  readonly options: QueryOptions;
  readonly planMs: number;
  /** How far instant selectors look back because samples are so far apart, ms. */
  readonly looksBackMs: number | undefined;
}

/** Of the whole query, ms. */
interface Times {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

function requireTime(t: number): void {
  if (!Number.isFinite(t)) throw new VeronaError('bad_data', `invalid time ${t}`);
}

/**
 * Whether other processes refused their part, or a group held floats and histograms, or histograms that do not go together:
 * then nothing of it counts, which is not seen when each is elsewhere.
 */
function isOfNoUse({ isRefused, annotations }: QueryContext): boolean {
  return isRefused || annotations.some(({ message }) => message.includes(MIX));
}

/** In the words of both remarks on it. */
const MIX = 'a mix of histograms';

function resultOf(value: QueryValue, context: QueryContext, run: Run, evaluationMs: number): QueryResult {
  const { annotations, querier, samplesRead, peakSamples } = context;
  const { warnings, infos } = renderAnnotations(run.query, annotations);
  return {
    value,
    warnings: [...querier.warnings, ...warnings],
    infos,
    stats: {
      samplesRead,
      peakSamples,
      samplesPerStep: context.stepCounts?.total(run.grid),
      planMs: run.planMs,
      evaluationMs,
    },
    analysis: context.analysis?.tree(run.plan),
  };
}
