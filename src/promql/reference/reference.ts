import { VeronaError } from '../../model/errors.ts';
import { compareLabels } from '../../model/labels.ts';
import { renderAnnotations } from '../annotations.ts';
import { type Expr, typeOf } from '../parser/ast.ts';
import { ALL_FEATURES } from '../parser/options.ts';
import { parseExpr } from '../parser/parse.ts';
import type { Answer, AnswerSeries, Outcome } from '../promqltest/harness.ts';
import { Evaluation, type Setting } from './evaluation.ts';
import { floatEnds, relevant } from './extended-rates.ts';
import { joinRows, requireDistinct } from './join-rows.ts';
import { withoutMetadata } from './names.ts';
import { modelHistogram } from './plain-histogram.ts';
import { RemarkList } from './remarks.ts';
import { isFloat, isHistogram, type Row, type Steps, timesOf } from './rows.ts';
import { inside, type RangeVector, split } from './selectors.ts';
import type { SourceSample, SourceSeries } from './source.ts';
import { statisticsSelectors } from './statistics-only.ts';
import { unwrapped } from './step-invariance.ts';

export interface ReferenceOptions {
  readonly delayed: boolean;
  readonly startTimes?: boolean;
  readonly lookbackMs?: number;
  readonly subqueryStepMs?: number;
}

/** The plain evaluator over series that were read beforehand. */
export class Reference {
  readonly #series: readonly SourceSeries[];
  readonly #options: ReferenceOptions;

  constructor(series: readonly SourceSeries[], options: ReferenceOptions) {
    this.#series = series;
    this.#options = options;
  }

  /** Evaluates at one time. Throws `bad_data` or `execution`. */
  instant(query: string, t: number): Outcome {
    return this.#run(query, { start: t, end: t, step: 0 }, true);
  }

  /** Evaluates at start, start + step, … up to end. */
  range(query: string, start: number, end: number, step: number): Outcome {
    return this.#run(query, { start, end, step }, false);
  }

  #run(query: string, times: Steps, isInstant: boolean): Outcome {
    const expr = unwrapped(parseExpr(query, { features: ALL_FEATURES }));
    const setting = this.#setting(expr, times);
    // A step, even if there is only one.
    const steps = isInstant ? { ...times, step: 1 } : times;
    const answer = isInstant ? instantAnswer(setting, expr, steps) : rangeAnswer(setting, expr, steps);
    return { answer, ...renderAnnotations(query, setting.remarks.all()) };
  }

  #setting(expr: Expr, query: Steps): Setting {
    const { delayed, startTimes = false, lookbackMs = 300_000, subqueryStepMs = 60_000 } = this.#options;
    const statistics = statisticsSelectors(expr);
    const remarks = new RemarkList();
    return {
      series: this.#series,
      query,
      lookbackMs,
      subqueryStepMs,
      delayed,
      startTimes,
      statistics,
      remarks,
    };
  }
}

function instantAnswer(setting: Setting, expr: Expr, steps: Steps): Answer {
  const evaluation = new Evaluation(setting);
  switch (typeOf(expr)) {
    case 'string':
      return { type: 'string', v: expr.kind === 'string' ? expr.value : '' };
    case 'scalar':
      return { type: 'scalar', v: evaluation.scalars(expr, steps)[0] };
    case 'matrix':
      return { type: 'matrix', series: rawSeries(evaluation, expr, steps) };
    case 'vector': {
      const rows = finished(setting, evaluation.rows(expr, steps));
      return {
        type: 'vector',
        samples: rows.map(({ labels, points: [point] }) => ({
          labels,
          v: isFloat(point) ? point : 0,
          histogram: isHistogram(point) ? modelHistogram(point) : undefined,
        })),
      };
    }
  }
}

function rangeAnswer(setting: Setting, expr: Expr, steps: Steps): Answer {
  const type = typeOf(expr);
  if (type !== 'scalar' && type !== 'vector')
    throw new VeronaError(
      'bad_data',
      `invalid expression type "${type === 'matrix' ? 'range vector' : type}" for range query, must be Scalar or instant Vector`,
    );
  const rows = finished(setting, new Evaluation(setting).rows(expr, steps));
  requireDistinct(rows.map(({ labels }) => labels));
  const series = rows.map((row) => seriesOf(row, timesOf(steps)));
  return { type: 'matrix', series: series.sort((a, b) => compareLabels(a.labels, b.labels)) };
}

/** Names that were to go are gone. */
function finished({ delayed }: Setting, rows: readonly Row[]): readonly Row[] {
  if (!delayed) return rows;
  return joinRows(rows.map((row) => (row.dropName ? { ...row, labels: withoutMetadata(row.labels) } : row)));
}

function seriesOf({ labels, points }: Row, times: readonly number[]): AnswerSeries {
  return {
    labels,
    floats: points.flatMap((v, i) => (isFloat(v) ? [{ t: times[i], v }] : [])),
    histograms: points.flatMap((point, i) =>
      isHistogram(point) ? [{ t: times[i], histogram: modelHistogram(point) }] : [],
    ),
  };
}

/** The samples of a range; an extended one has a point at each of its ends. */
function extended(
  { setting: { lookbackMs } }: Evaluation,
  { mode, rangeMs }: RangeVector,
  samples: readonly SourceSample[],
  end: number,
): Pick<SourceSample, 't' | 'point'>[] {
  const start = end - rangeMs;
  if (mode === 'plain') return inside(samples, start, end);
  const around = split(
    inside(samples, start - lookbackMs, mode === 'smoothed' ? end + lookbackMs : end),
    false,
  );
  if (around.histograms.length > 0)
    throw new VeronaError('execution', `${mode} modifier is not supported with histograms`);
  const ends = { mode, start, end, floats: around.floats };
  const [first] = around.floats;
  if (first === undefined) return [];
  const counted = first.t > end ? [first] : relevant(ends, around.floats);
  if (counted === undefined) return [];
  const { left, right } = floatEnds(ends, counted, false);
  const between = counted.filter(({ t }) => t > start && t < end).map(({ t, v }) => ({ t, point: v }));
  return [{ t: start, point: left }, ...between, { t: end, point: right }];
}

function rawSeries(evaluation: Evaluation, expr: Expr, steps: Steps): AnswerSeries[] {
  if (expr.kind !== 'matrix' && expr.kind !== 'subquery')
    throw new VeronaError('internal', 'not a range vector');
  const vector = evaluation.selectors.range(expr, steps);
  const end = vector.endAt(steps.start);
  return vector.series
    .map(({ labels, dropName, samples }) => {
      const seen = extended(evaluation, vector, samples, end);
      const row: Row = {
        labels: dropName ? withoutMetadata(labels) : labels,
        dropName,
        points: seen.map(({ point }) => point),
      };
      return seriesOf(
        row,
        seen.map(({ t }) => t),
      );
    })
    .filter(({ floats, histograms }) => floats.length + histograms.length > 0)
    .sort((a, b) => compareLabels(a.labels, b.labels));
}
