import type { FloatHistogram } from '../../model/histogram.ts';
import type { SortedFloats } from './sorted-floats.ts';

/** The samples of one series as columns, floats and histograms apart, each ordered by time. Stale ones are not in here. */
export interface SeriesSamples {
  floatTimes: Float64Array;
  floats: Float64Array;
  floatCount: number;
  histogramTimes: readonly number[];
  histograms: readonly FloatHistogram[];
  /** When the counter began that a sample belongs to, ms, 0 when unknown; only where they are looked at and there are some. */
  floatStarts?: Float64Array | undefined;
  histogramStarts?: Float64Array | undefined;
}

/**
 * The samples a range function sees at one step: floats [f0, f1) and histograms [h0, h1) of the columns, all in
 * `(start, end]`. One object per series, moved from step to step; functions never keep it.
 */
export interface Window extends SeriesSamples {
  f0: number;
  f1: number;
  h0: number;
  h1: number;
  /** ms; `end` is the evaluation time less the offset. */
  start: number;
  end: number;
  /** The evaluation time, ms. */
  t: number;
  /** Values of the scalar arguments at this step, in the order of the call. */
  args: readonly number[];
  /** Where functions put their result. */
  value: number;
  histogram: FloatHistogram | undefined;
  /** The floats of the window in order, kept from step to step by functions that need that. */
  sorted: SortedFloats | undefined;
  /** Where remarks go. */
  remarks: Remarks;
}

/** Remarks of a range function, about the metric of the series it works on. */
export interface Remarks {
  /** Histograms are among the floats and do not count. */
  histogramsIgnored(): void;
  /** A counter function is used on a metric whose name is not that of a counter: says so, if it is. */
  counterName(): void;
  warn(message: string): void;
  info(message: string): void;
  /** A text about the metric that the series is of; the name is empty when the series has lost it. */
  warnMetric(text: (metricName: string) => string): void;
  /** The same for what is to be told with how often it was so. */
  countMetric(text: (metricName: string) => string): void;
  /** About the argument at this place of the call. */
  warnArgument(index: number, message: string): void;
}

/** Whether there is a result: `Presence.none`, `.float` (in `window.value`) or `.histogram` (in `window.histogram`). */
export type WindowFunction = (window: Window) => 0 | 1 | 2;
