import type { FloatHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { Grid } from './grid.ts';

/** Other processes that evaluate PromQL over series that they hold. One for a query. */
export interface RemoteEngines {
  /** Who may aggregate series of a selector by itself; undefined when nobody may. Times in ms, inclusive. */
  share(matchers: readonly Matcher[], mint: number, maxt: number): RemoteShare | undefined;
  /** One that fails is a remark or an error, as the query wants it. */
  evaluate(request: RemoteRequest, signal: AbortSignal): Promise<RemoteAnswer>;
}

/** No two targets, and no target and the rest, hold series that an answer has to see together before it aggregates. */
export interface RemoteShare {
  readonly targets: readonly string[];
  /** Whether others hold series too, which are to be read. */
  readonly hasRest: boolean;
}

export interface RemoteRequest {
  readonly query: string;
  readonly targets: readonly string[];
  /** Whole seconds. */
  readonly grid: Grid;
  readonly lookbackMs: number;
}

export interface RemoteAnswer {
  readonly rows: readonly RemoteRow[];
  /** Warnings and infos of the peers, in the words of the API. */
  readonly remarks: readonly string[];
  readonly samplesRead: number;
  /** Whether a peer does not know this kind of query: then it has to be read from there. */
  readonly isRefused: boolean;
}

/** The samples of one series of an answer; times in ms. */
export interface RemoteRow {
  readonly labels: Labels;
  readonly times: readonly number[];
  readonly values: readonly number[];
  readonly histogramTimes: readonly number[];
  readonly histograms: readonly FloatHistogram[];
}
