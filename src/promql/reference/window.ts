import type { Labels } from '../../model/labels.ts';
import type { Span } from '../parser/ast.ts';
import type { PlainHistogram } from './plain-histogram.ts';
import type { RemarkList } from './remarks.ts';
import type { Point } from './rows.ts';

/** When a counter began, ms; 0 is unknown, as it is for functions that do not look at it. */
interface Started {
  readonly startT: number;
}

export interface FloatSample extends Started {
  readonly t: number;
  readonly v: number;
}

export interface HistogramSample extends Started {
  readonly t: number;
  readonly h: PlainHistogram;
}

/** The samples that a range function sees of one series at one step. */
export interface Window {
  /** At least one of the two lists has something. */
  readonly floats: readonly FloatSample[];
  readonly histograms: readonly HistogramSample[];
  /** The range is `(start, end]`; samples beyond it are there for `anchored` and `smoothed`. ms. */
  readonly start: number;
  readonly end: number;
  /** The length of the range in seconds. */
  readonly seconds: number;
  /** The evaluation time. */
  readonly t: number;
  readonly mode: 'plain' | 'anchored' | 'smoothed';
  /** The scalar arguments in their order. */
  readonly scalars: readonly number[];
  readonly labels: Labels;
  readonly remarks: WindowRemarks;
}

export interface WindowRemarks {
  readonly list: RemarkList;
  readonly metric: string;
  /** Where the range vector stands, and where the first argument does. */
  readonly vector: Span;
  readonly first: Span;
}

/** Undefined: the series has nothing at this step. */
export type RangeFunction = (window: Window) => Point | undefined;
