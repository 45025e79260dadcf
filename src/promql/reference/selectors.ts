import { VeronaError } from '../../model/errors.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { MatrixSelector, Subquery, VectorSelector } from '../parser/ast.ts';
import type { Evaluation } from './evaluation.ts';
import { smoothedAt } from './extended-rates.ts';
import { isFloat, type Point, type Row, type Steps, timesOf } from './rows.ts';
import { type SourceSample, type SourceSeries, statisticsOf } from './source.ts';
import type { Window } from './window.ts';

/** One series of a range vector. */
export interface RangeSeries {
  readonly labels: Labels;
  readonly dropName: boolean;
  /** Without staleness markers, ordered by time. */
  readonly samples: readonly SourceSample[];
}

/** A range vector: its series, and which of their samples are seen at a step. */
export interface RangeVector {
  readonly series: readonly RangeSeries[];
  readonly mode: Window['mode'];
  readonly rangeMs: number;
  /** The end of the window at an evaluation time. */
  endAt(t: number): number;
}

/** Reads series. */
export class Selectors {
  readonly #evaluation: Evaluation;

  constructor(evaluation: Evaluation) {
    this.#evaluation = evaluation;
  }

  /** The series that all matchers want. */
  series(matchers: readonly Matcher[]): readonly SourceSeries[] {
    return this.#evaluation.setting.series.filter(({ labels }) =>
      matchers.every((matcher) => matcher.matches(labels.get(matcher.name))),
    );
  }

  /** The newest sample before or at each step, not older than the lookback and not a staleness marker. */
  instant(selector: VectorSelector, steps: Steps): Row[] {
    const refs = this.refTimes(selector, steps);
    return this.selected(selector)
      .map(({ labels, samples }) => ({
        labels,
        dropName: false,
        points: refs.map((ref) =>
          selector.smoothed
            ? this.#smoothed(selector, labels, samples, ref)
            : this.newest(samples, ref)?.point,
        ),
      }))
      .filter(({ points }) => points.some((point) => point !== undefined));
  }

  /** The times at which a selector is read: `@` or the step, less the offset. */
  refTimes({ at, offset }: Pick<VectorSelector, 'at' | 'offset'>, steps: Steps): number[] {
    const pinned = this.#evaluation.at(at);
    const back = offset === undefined ? 0 : this.#evaluation.duration(offset, 'any');
    return timesOf(steps).map((t) => (pinned ?? t) - back);
  }

  newest(samples: readonly SourceSample[], ref: number): SourceSample | undefined {
    const sample = samples.findLast(({ t }) => t <= ref);
    const isOld = sample === undefined || sample.t <= ref - this.#evaluation.setting.lookbackMs;
    return isOld || sample.isStale ? undefined : sample;
  }

  /** The series of a selector; histograms without buckets where Prometheus reads them so. */
  selected(selector: VectorSelector): readonly SourceSeries[] {
    const series = this.series(selector.matchers);
    if (!this.#evaluation.setting.statistics.has(selector)) return series;
    return series.map(({ labels, samples }) => ({ labels, samples: statisticsOf(samples) }));
  }

  #smoothed(
    selector: VectorSelector,
    labels: Labels,
    samples: readonly SourceSample[],
    ref: number,
  ): Point | undefined {
    const { lookbackMs, remarks } = this.#evaluation.setting;
    const near = inside(samples, ref - lookbackMs, ref + lookbackMs);
    const spans = { list: remarks, metric: labels.get(METRIC_NAME), vector: selector, first: selector };
    return smoothedAt({ ...split(near, false), remarks: spans }, ref);
  }

  range(expr: MatrixSelector | Subquery, steps: Steps): RangeVector {
    return expr.kind === 'matrix' ? this.#matrix(expr) : this.#subquery(expr, steps);
  }

  #matrix(expr: MatrixSelector): RangeVector {
    const { selector } = expr;
    const pinned = this.#evaluation.at(selector.at);
    const back = selector.offset === undefined ? 0 : this.#evaluation.duration(selector.offset, 'any');
    return {
      series: this.selected(selector).map(({ labels, samples }) => ({
        labels,
        dropName: false,
        samples: samples.filter(({ isStale }) => !isStale),
      })),
      mode: selector.anchored ? 'anchored' : selector.smoothed ? 'smoothed' : 'plain',
      rangeMs: this.#evaluation.duration(expr.range, 'positive'),
      endAt: (t) => (pinned ?? t) - back,
    };
  }

  /** A subquery is evaluated at multiples of its step that lie in some window; what is known of resets is forgotten. */
  #subquery(expr: Subquery, steps: Steps): RangeVector {
    const evaluation = this.#evaluation;
    const rangeMs = evaluation.duration(expr.range, 'positive');
    const step =
      expr.step === undefined
        ? evaluation.setting.subqueryStepMs
        : evaluation.duration(expr.step, 'positive');
    const back = expr.offset === undefined ? 0 : evaluation.duration(expr.offset, 'any');
    const pinned = evaluation.at(expr.at);
    const times = timesOf(steps);
    const left = (pinned ?? times[0]) - back - rangeMs;
    let start = step * Math.trunc(left / step);
    if (start <= left) start += step;
    const inner: Steps = { start, end: (pinned ?? times[times.length - 1]) - back, step };
    const innerTimes = timesOf(inner);
    return {
      series: evaluation.rows(expr.expr, inner).map(({ labels, dropName, points }) => ({
        labels,
        dropName,
        samples: points.flatMap((point, i) =>
          point === undefined
            ? []
            : [{ t: innerTimes[i], point: withoutReset(point), startT: 0, isStale: false }],
        ),
      })),
      mode: 'plain',
      rangeMs,
      endAt: (t) => (pinned ?? t) - back,
    };
  }
}

function withoutReset(point: Point): Point {
  if (isFloat(point)) return point;
  return point.hint === 'gauge' ? point : { ...point, hint: 'unknown' };
}

/** The samples in `(start, end]`. */
export function inside(samples: readonly SourceSample[], start: number, end: number): SourceSample[] {
  return samples.filter(({ t, isStale }) => t > start && t <= end && !isStale);
}

/** Floats and histograms apart; what is known of where counters began is left out unless it is wanted. */
export function split(
  samples: readonly SourceSample[],
  withStarts: boolean,
): Pick<Window, 'floats' | 'histograms'> {
  const startOf = ({ startT }: SourceSample) => (withStarts ? startT : 0);
  return {
    floats: samples.flatMap((sample) =>
      isFloat(sample.point) ? [{ t: sample.t, v: sample.point, startT: startOf(sample) }] : [],
    ),
    histograms: samples.flatMap((sample) =>
      isFloat(sample.point) ? [] : [{ t: sample.t, h: sample.point, startT: startOf(sample) }],
    ),
  };
}

const ANCHORED = ['changes', 'delta', 'increase', 'rate', 'resets'];
const SMOOTHED = ['delta', 'increase', 'rate'];

/** Only some functions know what to do with samples around the range. */
export function requireSafe(mode: Window['mode'], name: string): void {
  const safe = mode === 'anchored' ? ANCHORED : SMOOTHED;
  if (mode !== 'plain' && !safe.includes(name))
    throw new VeronaError(
      'execution',
      `${mode} modifier can only be used with: ${safe.join(', ')} - not with ${name}`,
    );
}
