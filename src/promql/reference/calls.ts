import { VeronaError } from '../../model/errors.ts';
import { compareLabels, Labels, METRIC_NAME } from '../../model/labels.ts';
import { infoText, warningText } from '../annotations.ts';
import { compareNatural } from '../functions/natural-order.ts';
import { type Call, type Expr, type Span, typeOf } from '../parser/ast.ts';
import type { Evaluation } from './evaluation.ts';
import { DATE_FUNCTIONS, dateOf, FLOAT_FUNCTIONS } from './float-functions.ts';
import {
  type HistogramStep,
  histogramFraction,
  histogramQuantile,
  histogramQuantiles,
  NATIVE_FUNCTIONS,
} from './histogram-functions.ts';
import { isCandidate, withInfo } from './info-function.ts';
import { requireDistinct } from './join-rows.ts';
import { absentLabels, labelJoin, labelReplace, stringOf } from './label-functions.ts';
import { RANGE_FUNCTIONS } from './over-time.ts';
import { type Element, elementsAt, isFloat, isHistogram, type Row, type Steps, timesOf } from './rows.ts';
import { largest, smallest } from './scalar-operators.ts';
import { inside, requireSafe, split } from './selectors.ts';
import type { SourceSample } from './source.ts';
import { unwrapped } from './step-invariance.ts';

/** The rows of a function call. */
export function evaluateCall(evaluation: Evaluation, call: Call, steps: Steps): readonly Row[] {
  const { name } = call.func;
  const args = call.args.map(unwrapped);
  if (args.some((arg) => typeOf(arg) === 'matrix')) return rangeCall(evaluation, call, args, steps);
  const first = () => evaluation.rows(args[0], steps);
  switch (name) {
    case 'label_replace':
      return labelReplace(call, first);
    case 'label_join':
      return labelJoin(call, first);
    case 'info':
      return infoCall(evaluation, args, steps);
    case 'timestamp':
      return timestampCall(evaluation, args[0], steps, (sample) => sample.t);
    case 'start_timestamp':
      // Of anything computed there is none, though it is computed.
      if (args[0].kind !== 'vector') evaluation.rows(args[0], steps);
      if (args[0].kind !== 'vector' || !evaluation.setting.startTimes) return [];
      return timestampCall(evaluation, args[0], steps, (sample) => sample.startT);
  }
  if (name.startsWith('sort') && steps.start !== steps.end)
    evaluation.setting.remarks.warn(warningText.sortInRangeQuery(), call);
  const rows = args.map((arg) => (typeOf(arg) === 'string' ? [] : evaluation.rows(arg, steps)));
  return evaluation.perStep(steps, (step, t) => vectorCall(evaluation, call, rows, args, step, t));
}

/** The elements that a function gives at one step. */
function vectorCall(
  evaluation: Evaluation,
  call: Call,
  rows: readonly (readonly Row[])[],
  args: readonly Expr[],
  step: number,
  t: number,
): readonly Element[] {
  const { name } = call.func;
  const scalars = args.flatMap((arg, i) =>
    typeOf(arg) === 'scalar' ? [rows[i][0].points[step] as number] : [],
  );
  const vector = args.findIndex((arg) => typeOf(arg) === 'vector');
  const elements = vector === -1 ? [] : elementsAt(rows[vector], step);
  const alone = (point: number): Element[] => [{ labels: Labels.empty, dropName: false, point }];
  const { remarks, delayed, query } = evaluation.setting;
  const histogramStep: HistogramStep = { call: { ...call, args }, elements, scalars, t, delayed, remarks };
  switch (name) {
    case 'time':
      return alone(t / 1000);
    case 'pi':
      return alone(Math.PI);
    case 'start':
      return alone(query.start / 1000);
    case 'end':
      return alone(query.end / 1000);
    case 'range':
      return alone((query.end - query.start) / 1000);
    case 'step':
      return alone(query.start === query.end ? 0 : query.step / 1000);
    case 'max_of':
      return alone(largest(scalars[0], scalars[1]));
    case 'min_of':
      return alone(smallest(scalars[0], scalars[1]));
    case 'vector':
      return alone(scalars[0]);
    case 'scalar': {
      const floats = elements.map(({ point }) => point).filter(isFloat);
      return alone(floats.length === 1 ? floats[0] : Number.NaN);
    }
    case 'absent':
      return elements.length > 0 ? [] : [{ labels: absentLabels(args[0]), dropName: false, point: 1 }];
    case 'sort':
    case 'sort_desc':
    case 'sort_by_label':
    case 'sort_by_label_desc':
      return sorted(name, elements, args.slice(1).map(stringOf));
    case 'histogram_quantile':
      return histogramQuantile(histogramStep);
    case 'histogram_quantiles':
      return histogramQuantiles(histogramStep, stringOf(args[1]));
    case 'histogram_fraction':
      return histogramFraction(histogramStep);
  }
  if (NATIVE_FUNCTIONS[name] !== undefined)
    return elements.flatMap(({ labels, point }) =>
      isHistogram(point)
        ? [{ labels: withoutName(evaluation, labels), dropName: true, point: NATIVE_FUNCTIONS[name](point) }]
        : [],
    );
  const f = floatFunction(name);
  if (vector === -1) return alone(f(t / 1000)!);
  return elements.flatMap(({ labels, point }) => {
    const value = isFloat(point) ? f(point, ...scalars) : undefined;
    return value === undefined ? [] : [{ labels: evaluation.dropped(labels), dropName: true, point: value }];
  });
}

/** The functions of native histograms leave type and unit. */
function withoutName(evaluation: Evaluation, labels: Labels): Labels {
  return evaluation.setting.delayed ? labels : labels.drop(new Set([METRIC_NAME]));
}

function floatFunction(name: string): (v: number, ...scalars: readonly number[]) => number | undefined {
  const date = DATE_FUNCTIONS[name];
  if (date !== undefined) return (v) => date(dateOf(v));
  if (FLOAT_FUNCTIONS[name] === undefined) throw new VeronaError('internal', `no function ${name}`);
  return FLOAT_FUNCTIONS[name];
}

/** Values in order, NaN last; labels in natural order, then by all labels. */
function sorted(name: string, elements: readonly Element[], names: readonly string[]): Element[] {
  const sign = name.endsWith('desc') ? -1 : 1;
  if (name.startsWith('sort_by_label'))
    return [...elements].sort((a, b) => {
      const differing = names.find((label) => a.labels.get(label) !== b.labels.get(label));
      if (differing === undefined) return sign * compareLabels(a.labels, b.labels);
      return sign * compareNatural(a.labels.get(differing), b.labels.get(differing));
    });
  const floats = elements.filter((element): element is Element & { point: number } => isFloat(element.point));
  return floats.sort((a, b) => {
    const [x, y] = [a.point, b.point];
    return (
      Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || sign * Number(x > y) - sign * Number(x < y) || 0
    );
  });
}

/** `timestamp` of a selector is the time of its sample, of anything else the evaluation time. */
function timestampCall(
  evaluation: Evaluation,
  arg: Expr,
  steps: Steps,
  timeOf: (sample: SourceSample) => number,
): readonly Row[] {
  if (arg.kind !== 'vector') {
    const rows = evaluation.rows(arg, steps);
    return evaluation.perStep(steps, (step, t) =>
      elementsAt(rows, step).map(({ labels }) => ({
        labels: evaluation.dropped(labels),
        dropName: true,
        point: t / 1000,
      })),
    );
  }
  const { selectors } = evaluation;
  // As in Prometheus an offset beside `@` only moves what is read, not the time at which it is looked at.
  const refs = selectors.refTimes(arg.at === undefined ? arg : { ...arg, offset: undefined }, steps);
  const readEnds = selectors.refTimes(arg, steps);
  const { lookbackMs } = evaluation.setting;
  return evaluation.perStep(steps, (step) =>
    selectors.selected(arg).flatMap(({ labels, samples }) => {
      const end = readEnds[step];
      const read = samples.filter(({ t }) => t > end - lookbackMs && t <= end);
      const sample = selectors.newest(read, refs[step]);
      if (sample === undefined) return [];
      return [{ labels: evaluation.dropped(labels), dropName: true, point: timeOf(sample) / 1000 }];
    }),
  );
}

function infoCall(evaluation: Evaluation, args: readonly Expr[], steps: Steps): readonly Row[] {
  const base = evaluation.rows(args[0], steps);
  const written = args[1]?.kind === 'vector' ? args[1].matchers : [];
  const candidates = evaluation.selectors.series([]).filter(({ labels }) =>
    isCandidate(
      labels,
      base.map((row) => row.labels),
      written,
    ),
  );
  const shift = readTime(evaluation, args[0]);
  const times = timesOf(steps);
  return evaluation.perStep({ ...steps, end: Math.max(steps.end, steps.start) }, (step) => {
    const ref = (shift.at ?? times[step]) - shift.offset;
    const infos = candidates.flatMap(({ labels, samples }) => {
      const sample = evaluation.selectors.newest(samples, ref);
      if (sample !== undefined && !isFloat(sample.point))
        throw new VeronaError('execution', `this should be an info metric, with float samples: ${labels}`);
      return sample === undefined ? [] : [{ labels, sampledAt: sample.t }];
    });
    return withInfo(elementsAt(base, step), infos, written);
  });
}

/** The `@` and offsets that the first selector of an expression is read with. */
function readTime(evaluation: Evaluation, expr: Expr): { at: number | undefined; offset: number } {
  const path = pathToSelector(expr) ?? [];
  let at: number | undefined;
  let offset = 0;
  for (const node of path.reverse()) {
    if (at !== undefined || (node.kind !== 'vector' && node.kind !== 'subquery')) continue;
    offset += node.offset === undefined ? 0 : evaluation.duration(node.offset, 'any');
    at = evaluation.at(node.at);
  }
  return { at, offset };
}

function pathToSelector(expr: Expr): Expr[] | undefined {
  if (expr.kind === 'vector') return [expr];
  const children =
    expr.kind === 'matrix'
      ? [expr.selector]
      : expr.kind === 'call'
        ? expr.args
        : expr.kind === 'binary'
          ? [expr.left, expr.right]
          : expr.kind === 'aggregate'
            ? [expr.expr, ...(expr.param === undefined ? [] : [expr.param])]
            : expr.kind === 'number' || expr.kind === 'string'
              ? []
              : [expr.expr];
  for (const child of children) {
    const path = pathToSelector(child);
    if (path !== undefined) return [expr, ...path];
  }
  return undefined;
}

/** Prometheus puts remarks about a subquery at the beginning of the query. */
function placeOf(arg: Expr): Span {
  return arg.kind === 'subquery' ? { start: 0, end: 0 } : arg;
}

/** A function of a range vector, series by series and step by step. */
function rangeCall(evaluation: Evaluation, call: Call, args: readonly Expr[], steps: Steps): readonly Row[] {
  const { name } = call.func;
  const { remarks, lookbackMs } = evaluation.setting;
  const arg = args.find((one) => one.kind === 'matrix' || one.kind === 'subquery')!;
  const vector = evaluation.selectors.range(arg as Parameters<typeof evaluation.selectors.range>[0], steps);
  const scalars = args.filter((one) => one !== arg).map((one) => evaluation.scalars(one, steps));
  requireSafe(vector.mode, name);
  const [before, after] = [
    vector.mode === 'plain' ? 0 : lookbackMs,
    vector.mode === 'smoothed' ? lookbackMs : 0,
  ];
  const withStarts = evaluation.setting.startTimes && ['increase', 'irate', 'rate', 'resets'].includes(name);
  const keepsName = name === 'last_over_time' || name === 'first_over_time';
  const rows: Row[] = [];
  for (const { labels, dropName, samples } of vector.series) {
    const metric = labels.get(METRIC_NAME);
    const points = timesOf(steps).map((t, step) => {
      const end = vector.endAt(t);
      const start = end - vector.rangeMs;
      const seen = split(inside(samples, start - before, end + after), withStarts);
      if (seen.floats.length + seen.histograms.length === 0) return undefined;
      return RANGE_FUNCTIONS[name]({
        ...seen,
        start,
        end,
        seconds: vector.rangeMs / 1000,
        t,
        mode: vector.mode,
        scalars: scalars.map((values) => values[step]),
        labels,
        remarks: { list: remarks, metric, vector: placeOf(arg), first: placeOf(args[0]) },
      });
    });
    if (
      (name === 'rate' || name === 'increase') &&
      metric !== '' &&
      points.some(isFloat) &&
      !isCounterName(metric)
    )
      remarks.info(infoText.possibleNonCounter(metric), placeOf(arg));
    const drops = !keepsName || dropName;
    if (points.some((point) => point !== undefined))
      rows.push({ labels: drops ? evaluation.dropped(labels) : labels, dropName: drops, points });
  }
  if (name === 'absent_over_time') return absence(rows, arg, steps);
  if (!evaluation.setting.delayed) requireDistinct(rows.map((row) => row.labels));
  return rows;
}

function isCounterName(name: string): boolean {
  return ['_total', '_sum', '_count', '_bucket'].some((end) => name.endsWith(end));
}

function absence(rows: readonly Row[], arg: Expr, steps: Steps): readonly Row[] {
  const points = timesOf(steps).map((_, step) =>
    rows.some((row) => row.points[step] !== undefined) ? undefined : 1,
  );
  if (points.every((point) => point === undefined)) return [];
  return [{ labels: absentLabels(arg), dropName: true, points }];
}
