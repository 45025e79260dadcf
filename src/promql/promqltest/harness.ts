import type { FloatHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { LoadedSeries } from './script.ts';

/** An answer in the form in which scripts compare it. Times in ms, histograms with float counts. */
export type Answer =
  | { readonly type: 'scalar'; readonly v: number }
  | { readonly type: 'string'; readonly v: string }
  | { readonly type: 'vector'; readonly samples: readonly AnswerSample[] }
  | { readonly type: 'matrix'; readonly series: readonly AnswerSeries[] };

export interface AnswerSample {
  readonly labels: Labels;
  readonly v: number;
  readonly histogram: FloatHistogram | undefined;
}

export interface AnswerSeries {
  readonly labels: Labels;
  readonly floats: readonly { readonly t: number; readonly v: number }[];
  readonly histograms: readonly { readonly t: number; readonly histogram: FloatHistogram }[];
}

export interface Outcome {
  readonly answer: Answer;
  /** With places, as the API shows them. */
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/** What a script drives: a storage that can be filled, and an engine over it. A failing query rejects. */
export interface Subject {
  load(series: readonly LoadedSeries[]): Promise<void>;
  instant(query: string, t: number): Promise<Outcome>;
  range(query: string, start: number, end: number, step: number): Promise<Outcome>;
  close(): Promise<void>;
}
