import { VeronaError } from '../../model/errors.ts';
import { histogramText } from '../../model/histogram-text.ts';
import { Labels } from '../../model/labels.ts';
import type { Aggregate, AtModifier, Binary, Duration, Expr, Unary, VectorSelector } from '../parser/ast.ts';
import { isSetOperator, typeOf } from '../parser/ast.ts';
import { durationMs } from '../parser/duration-expr.ts';
import { formatDecimal, quote } from '../parser/go-text.ts';
import { aggregate, checkParameters, choose, groupKey, groupLabels } from './aggregations.ts';
import { evaluateCall } from './calls.ts';
import { multiply } from './histogram-arithmetic.ts';
import { joinRows, requireDistinct } from './join-rows.ts';
import { isValidLabelName, stringOf } from './label-functions.ts';
import { withoutMetadata } from './names.ts';
import { modelHistogram } from './plain-histogram.ts';
import type { RemarkList } from './remarks.ts';
import { type Element, elementsAt, isFloat, type Point, type Row, type Steps, timesOf } from './rows.ts';
import { scalarOperation } from './scalar-operators.ts';
import { Selectors } from './selectors.ts';
import type { SourceSeries } from './source.ts';
import { isInvariant, unwrapped } from './step-invariance.ts';
import {
  scalarVectorOperation,
  setOperation,
  type VectorResult,
  vectorOperation,
} from './vector-operators.ts';

export interface Setting {
  readonly series: readonly SourceSeries[];
  /** The whole query's times; the step of an instant query is 0. */
  readonly query: Steps;
  readonly lookbackMs: number;
  readonly subqueryStepMs: number;
  /** Names are dropped at the end only. */
  readonly delayed: boolean;
  /** What samples say of the beginning of their counters is looked at. */
  readonly startTimes: boolean;
  /** Selectors read without the buckets of histograms. */
  readonly statistics: ReadonlySet<VectorSelector>;
  readonly remarks: RemarkList;
}

/** Walks the tree of a query. Every node gives its rows over the steps asked for; nothing is kept or shared. */
export class Evaluation {
  readonly setting: Setting;
  readonly selectors: Selectors;

  constructor(setting: Setting) {
    this.setting = setting;
    this.selectors = new Selectors(this);
  }

  /** The rows of an instant vector; a scalar is one row without labels. */
  rows(expr: Expr, steps: Steps): readonly Row[] {
    if (steps.end < steps.start) return [];
    if (steps.start === steps.end || expr.kind === 'number' || !isInvariant(expr))
      return this.#plain(expr, steps);
    const count = timesOf(steps).length;
    return this.#plain(expr, { ...steps, end: steps.start }).map((row) => ({
      ...row,
      points: new Array(count).fill(row.points[0]),
    }));
  }

  /** The values of a scalar. */
  scalars(expr: Expr, steps: Steps): number[] {
    return this.rows(expr, steps)[0].points as number[];
  }

  #plain(expr: Expr, steps: Steps): readonly Row[] {
    switch (expr.kind) {
      case 'number':
        return [{ labels: Labels.empty, dropName: false, points: timesOf(steps).map(() => expr.value) }];
      case 'paren':
        return this.rows(expr.expr, steps);
      case 'unary':
        return this.#unary(expr, steps);
      case 'vector':
        return this.selectors.instant(expr, steps);
      case 'call':
        return evaluateCall(this, expr, steps);
      case 'aggregate':
        return this.#aggregate(expr, steps);
      case 'binary':
        return this.#binary(expr, steps);
      default:
        throw new VeronaError('internal', `a ${expr.kind} has no rows`);
    }
  }

  /** Calls `f` at each step and puts the elements that it gives together to rows, by their labels. */
  perStep(steps: Steps, f: (step: number, t: number) => readonly Element[]): readonly Row[] {
    const times = timesOf(steps);
    const found = times.map((t, step) => f(step, t));
    if (steps.start === steps.end) {
      if (!this.setting.delayed) requireDistinct(found[0].map(({ labels }) => labels));
      return found[0].map(({ labels, dropName, point }) => ({ labels, dropName, points: [point] }));
    }
    const rows = new Map<string, { labels: Labels; dropName: boolean; points: (Point | undefined)[] }>();
    for (const [step, elements] of found.entries()) {
      requireDistinct(elements.map(({ labels }) => labels));
      for (const { labels, dropName, point } of elements) {
        const row = rows.get(labels.key()) ?? {
          labels,
          dropName,
          points: new Array(times.length).fill(undefined),
        };
        rows.set(labels.key(), row);
        row.points[step] = point;
      }
    }
    return [...rows.values()];
  }

  /** Without names, unless that is left for the end. */
  dropped(labels: Labels): Labels {
    return this.setting.delayed ? labels : withoutMetadata(labels);
  }

  /** A duration in ms. */
  duration(duration: Duration, sign: 'positive' | 'any'): number {
    const { start, end, step } = this.setting.query;
    return durationMs(duration, { stepMs: step, rangeMs: end - start }, sign);
  }

  /** The time of an `@`. */
  at(at: AtModifier | undefined): number | undefined {
    if (at === undefined) return undefined;
    if (at.kind === 'timestamp') return at.t;
    return at.kind === 'start' ? this.setting.query.start : this.setting.query.end;
  }

  #unary(expr: Unary, steps: Steps): readonly Row[] {
    const rows = this.rows(expr.expr, steps);
    if (expr.op === '+') return rows;
    const negated = rows.map(({ labels, points }) => ({
      labels: this.dropped(labels),
      dropName: true,
      points: points.map(negative),
    }));
    return this.setting.delayed ? negated : joinRows(negated);
  }

  #aggregate(expr: Aggregate, steps: Steps): readonly Row[] {
    const { remarks } = this.setting;
    if (expr.op === 'count_values') return this.#countValues(expr, steps);
    const times = timesOf(steps);
    const params = expr.param === undefined ? times.map(() => 0) : this.scalars(unwrapped(expr.param), steps);
    const rows = this.rows(unwrapped(expr.expr), steps);
    if (!checkParameters(expr, params, remarks)) return [];
    const groups = Map.groupBy(rows, ({ labels }) => groupKey(labels, expr.grouping, expr.without));
    if (['topk', 'bottomk', 'limitk', 'limit_ratio'].includes(expr.op))
      return this.#choose(expr, steps, [...groups.values()], params);
    return [...groups.values()]
      .map((members) => ({
        labels: groupLabels(members[0].labels, expr.grouping, expr.without),
        dropName: members.some(({ dropName }) => dropName),
        points: times.map((_, step) => {
          const elements = elementsAt(members, step);
          return elements.length === 0 ? undefined : aggregate(expr, elements, params[step], remarks);
        }),
      }))
      .filter(({ points }) => points.some((point) => point !== undefined));
  }

  #choose(
    expr: Aggregate,
    steps: Steps,
    groups: readonly (readonly Row[])[],
    params: readonly number[],
  ): readonly Row[] {
    const chosen = timesOf(steps).map((_, step) =>
      groups.flatMap((members) =>
        choose(expr, elementsAt(members, step), params[step], this.setting.remarks),
      ),
    );
    if (steps.start === steps.end)
      return chosen[0].map(({ labels, dropName, point }) => ({ labels, dropName, points: [point] }));
    return groups
      .flat()
      .map((row) => ({
        ...row,
        points: row.points.map((point, step) =>
          chosen[step].some(({ labels }) => labels.equals(row.labels)) ? point : undefined,
        ),
      }))
      .filter(({ points }) => points.some((point) => point !== undefined));
  }

  #countValues(expr: Aggregate, steps: Steps): readonly Row[] {
    const label = stringOf(expr.param!);
    if (!isValidLabelName(label)) throw new VeronaError('execution', `invalid label name ${quote(label)}`);
    const rows = this.rows(unwrapped(expr.expr), steps);
    const grouping = expr.without ? expr.grouping : [...expr.grouping, label];
    return this.perStep(steps, (step) => {
      const counted = new Map<string, { labels: Labels; point: number }>();
      for (const { labels, point } of elementsAt(rows, step)) {
        const value = isFloat(point) ? formatDecimal(point) : histogramText(modelHistogram(point));
        const group = groupLabels(labels.with({ [label]: value }), grouping, expr.without);
        counted.set(group.key(), { labels: group, point: (counted.get(group.key())?.point ?? 0) + 1 });
      }
      return [...counted.values()].map((element) => ({ ...element, dropName: false }));
    });
  }

  #binary(expr: Binary, steps: Steps): readonly Row[] {
    const [left, right] = [this.rows(expr.left, steps), this.rows(expr.right, steps)];
    const [leftType, rightType] = [typeOf(expr.left), typeOf(expr.right)];
    const drops = !this.setting.delayed;
    return this.perStep(steps, (step) => {
      const scalar = (rows: readonly Row[]) => rows[0].points[step] as number;
      if (leftType === 'scalar' && rightType === 'scalar') {
        const point = scalarOperation(expr.op, scalar(left), scalar(right));
        return [{ labels: Labels.empty, dropName: false, point }];
      }
      if (rightType === 'scalar')
        return this.#heard(
          expr,
          scalarVectorOperation(expr, elementsAt(left, step), scalar(right), false, drops),
        );
      if (leftType === 'scalar')
        return this.#heard(
          expr,
          scalarVectorOperation(expr, elementsAt(right, step), scalar(left), true, drops),
        );
      const [a, b] = [elementsAt(left, step), elementsAt(right, step)];
      return isSetOperator(expr.op)
        ? setOperation(expr, a, b)
        : this.#heard(expr, vectorOperation(expr, a, b, drops));
    });
  }

  #heard(expr: Binary, { elements, problem }: VectorResult): readonly Element[] {
    if (problem?.level === 'info') this.setting.remarks.info(problem.message, expr);
    if (problem?.level === 'warning') this.setting.remarks.warn(problem.message, expr);
    return elements;
  }
}

function negative(point: Point | undefined): Point | undefined {
  if (point === undefined) return undefined;
  return isFloat(point) ? -point : multiply(point, -1);
}
