import type { FloatHistogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { AnalysisNode } from './exec/analysis.ts';
import type { Grid } from './exec/grid.ts';
import type { LabelColumn } from './exec/label-column.ts';
import type { RawSeries } from './exec/raw-series.ts';

/**
 * Series × steps as columns. Cell (row, step) is index `row * grid.count + step`; `presence` says whether it holds
 * nothing (0), a float (1, in `values`), or a histogram (2, in `histograms`). Owned by the caller.
 */
export interface Columns {
  readonly grid: Grid;
  /** Made when first read; whoever writes an answer may do with `rowLabels`. */
  readonly labels: readonly Labels[];
  readonly rowLabels: LabelColumn;
  readonly values: Float64Array;
  readonly presence: Uint8Array;
  readonly histograms: readonly (FloatHistogram | undefined)[] | undefined;
}

/** `series`: the raw samples of an instant query for a range vector. A range query always gives a `matrix`. */
export type QueryValue =
  | { readonly type: 'scalar'; readonly t: number; readonly v: number }
  | { readonly type: 'string'; readonly t: number; readonly v: string }
  | { readonly type: 'vector'; readonly columns: Columns }
  | { readonly type: 'matrix'; readonly columns: Columns }
  | { readonly type: 'series'; readonly series: readonly RawSeries[] };

export interface QueryResult {
  readonly value: QueryValue;
  /** As Prometheus words them, with their place: `PromQL warning: … (1:7)`; the querier's own warnings too. */
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly stats: {
    readonly samplesRead: number;
    /** Most samples held at one time. */
    readonly peakSamples: number;
    /** Samples that each step looked at; when asked for. */
    readonly samplesPerStep: Float64Array | undefined;
    /** Planning and evaluation, ms; 0 without a clock. */
    readonly planMs: number;
    readonly evaluationMs: number;
  };
  readonly analysis: AnalysisNode | undefined;
}
