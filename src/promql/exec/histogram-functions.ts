import { VeronaError } from '../../model/errors.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
import {
  histogramAverage,
  histogramFraction,
  histogramQuantile,
  histogramStddev,
  histogramVariance,
} from '../../model/histogram-statistics.ts';
import { formatG } from '../../model/histogram-text.ts';
import {
  type ForcedMonotonicity,
  forcedMonotonicityText,
  infoText,
  joinForcedMonotonicity,
  warningText,
} from '../annotations.ts';
import {
  type ClassicBuckets,
  type Correction,
  classicFraction,
  classicQuantile,
  makeMonotonic,
} from '../functions/classic-histogram.ts';
import type { Span } from '../parser/ast.ts';
import type { CallPlan } from '../plan/node.ts';
import type { OperatorBuilder } from './build-operators.ts';
import { CellMap } from './cell-map.ts';
import { type Grid, timeAt } from './grid.ts';
import { type HistogramFunction, HistogramRows, type OpenRow } from './histogram-call.ts';
import { collect, collectScalar, Deferred, type Operator } from './operator.ts';
import { stringOf } from './plan-facts.ts';
import type { QueryContext } from './query-context.ts';
import { RowBuilder } from './row-builder.ts';

const PARTS: Readonly<Record<string, (histogram: FloatHistogram) => number>> = {
  histogram_count: (histogram) => histogram.count,
  histogram_sum: (histogram) => histogram.sum,
  histogram_avg: histogramAverage,
  histogram_stddev: histogramStddev,
  histogram_stdvar: histogramVariance,
};

/** The operator of a `histogram_…` function; undefined for any other. */
export function histogramCall(builder: OperatorBuilder, node: CallPlan, grid: Grid): Operator | undefined {
  const { name, args } = node;
  const part = PARTS[name];
  if (part !== undefined) {
    const cells = { float: () => undefined, histogram: part };
    return builder.dropNames(
      new CellMap(builder.context, builder.build(args[0], grid), () => cells),
      args[0],
      false,
    );
  }
  switch (name) {
    case 'histogram_quantile':
      return quantiles(builder, node, grid, 1, [0], undefined);
    case 'histogram_quantiles':
      return quantiles(
        builder,
        node,
        grid,
        0,
        args.slice(2).map((_, i) => i + 2),
        stringOf(args[1]),
      );
    case 'histogram_fraction':
      return fraction(builder, node, grid);
    default:
      return undefined;
  }
}

/** One result per histogram and quantile; with several, `label` tells them apart. Arguments are given by their index. */
function quantiles(
  builder: OperatorBuilder,
  node: CallPlan,
  grid: Grid,
  vector: number,
  wanted: readonly number[],
  label: string | undefined,
): Operator {
  const { context } = builder;
  const { args } = node;
  const scalars = wanted.map((i) => builder.build(args[i], grid));
  const child = builder.build(args[vector], grid);
  const operator = new Deferred(grid, async () => {
    const columns = await Promise.all(scalars.map(collectScalar));
    const batch = await collect(child, context);
    const rows = new HistogramRows(context, batch, args[vector].span);
    const out = new RowBuilder(grid.count, rows.classicCount);
    const corrections = new Corrections(grid);
    for (const [i, column] of columns.entries()) {
      remarkQuantiles(context, column, args[wanted[i]].span);
      // Buckets are corrected once, for the first quantile that is one.
      const isNoted = (step: number) => !columns.slice(0, i).some((before) => isQuantile(before[step]));
      const compute = quantileFunction(context, column, args[vector].span, (name, step, correction) => {
        if (isNoted(step)) corrections.add(name, step, correction);
      });
      rows.evaluate(compute, label === undefined ? rowsOf(out) : namedRowsOf(out, label, column));
    }
    corrections.remark(context, args[vector].span);
    return out.finish();
  });
  return builder.dropNames(operator, node, false);
}

function rowsOf(out: RowBuilder): OpenRow {
  return (labels) => {
    const row = out.rowOf(labels);
    return (step, value) => put(out, row, step, value);
  };
}

/** Rows with the quantile as one more label; it may change with the steps. */
function namedRowsOf(out: RowBuilder, label: string, column: Float64Array): OpenRow {
  return (labels) => {
    let quantile = Number.NaN;
    let row = -1;
    return (step, value) => {
      if (row === -1 || !Object.is(column[step], quantile)) {
        quantile = column[step];
        row = out.rowOf(labels.with({ [label]: openMetricsText(quantile) }));
      }
      put(out, row, step, value);
    };
  };
}

function remarkQuantiles(context: QueryContext, column: Float64Array, span: Span): void {
  for (const q of column)
    if (Number.isNaN(q) || q < 0 || q > 1) context.warn(warningText.invalidQuantile(q), span);
}

function put(out: RowBuilder, row: number, step: number, value: number): void {
  if (out.has(row, step))
    throw new VeronaError('execution', 'vector cannot contain metrics with the same labelset');
  out.setFloat(row, step, value);
}

function quantileFunction(
  context: QueryContext,
  column: Float64Array,
  span: Span,
  corrected: (name: string, step: number, correction: Correction) => void,
): HistogramFunction {
  return {
    classic: (buckets, step, name) => {
      const q = column[step];
      // What has no quantile in its buckets is not mended.
      if (isQuantile(q) && buckets.bounds.at(-1) === Infinity) {
        const correction = makeMonotonic(buckets);
        if (correction !== undefined) corrected(name, step, correction);
      }
      return classicQuantile(q, buckets);
    },
    native: (histogram, step, name) => {
      const { value, isAmongNaN, skewedByNaN } = histogramQuantile(column[step], histogram);
      if (isAmongNaN) context.info(infoText.quantileIsNaN(name), span);
      if (skewedByNaN) context.info(infoText.quantileIsSkewed(name), span);
      return value;
    },
  };
}

function isQuantile(q: number): boolean {
  return q >= 0 && q <= 1;
}

/** Corrections of the same metric are one remark. */
class Corrections {
  readonly #grid: Grid;
  readonly #byMetric = new Map<string, ForcedMonotonicity>();

  constructor(grid: Grid) {
    this.#grid = grid;
  }

  add(metric: string, step: number, correction: Correction): void {
    const t = timeAt(this.#grid, step);
    const next = { ...correction, metric, mint: t, maxt: t, samples: 1 };
    const known = this.#byMetric.get(metric);
    this.#byMetric.set(metric, known === undefined ? next : joinForcedMonotonicity(known, next));
  }

  remark(context: QueryContext, span: Span): void {
    for (const forced of this.#byMetric.values()) context.info(forcedMonotonicityText(forced), span);
  }
}

function fraction(builder: OperatorBuilder, node: CallPlan, grid: Grid): Operator {
  const { context } = builder;
  const scalars = node.args.slice(0, 2).map((arg) => builder.build(arg, grid));
  const child = builder.build(node.args[2], grid);
  const { span } = node.args[2];
  const operator = new Deferred(grid, async () => {
    const [lower, upper] = await Promise.all(scalars.map(collectScalar));
    const batch = await collect(child, context);
    const rows = new HistogramRows(context, batch, span);
    const out = new RowBuilder(grid.count, rows.classicCount);
    const compute: HistogramFunction = {
      classic: (buckets: ClassicBuckets, step) => classicFraction(lower[step], upper[step], buckets),
      native: (histogram, step, name) => {
        const { value, skewedByNaN } = histogramFraction(lower[step], upper[step], histogram);
        if (skewedByNaN) context.info(infoText.fractionWithoutNaN(name), span);
        return value;
      },
    };
    rows.evaluate(compute, rowsOf(out));
    return out.finish();
  });
  return builder.dropNames(operator, node, false);
}

/** A float as OpenMetrics writes it: always with a point or an exponent. */
function openMetricsText(value: number): string {
  const text = formatG(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
