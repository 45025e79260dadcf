import type { SeriesBatch } from '../../storage/series-batch.ts';
import type { Annotation } from '../annotations.ts';
import type { AggregatePlan, PlanNode } from '../plan/node.ts';
import type { Rank } from './candidates.ts';
import type { Grid } from './grid.ts';

/** Other threads that may evaluate a part of a query over some of its series. One per query. */
export interface SeriesTeam {
  /** Those that have nothing else to do now. */
  join(request: PartRequest): readonly TeamMember[];
}

/** Rows of one series each, or their sum by group: what a member is to make of the batches it gets. Plain data. */
export interface PartRequest {
  /** A part that `split-by-series` marks. The matchers of its selector have lost their methods on the way. */
  readonly rows: PlanNode;
  /** Added up by this when the kernel can; else the rows themselves are wanted. */
  readonly aggregate: Pick<AggregatePlan, 'op' | 'grouping' | 'without'> | undefined;
  /** Of the rows only those wanted that this may take in. */
  readonly rank: Rank | undefined;
  readonly grid: Grid;
  readonly lookbackMs: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
  readonly batchCells: number;
  readonly maxSamples: number;
  readonly maxBytes: number;
}

/** One member at work on one part. A promise of a member that fails rejects with its error. */
export interface TeamMember {
  /** Batches that it has not finished. */
  readonly waiting: number;
  /** Moves the batch away; resolves with its rows once they are there, none when they are added up. */
  evaluate(batch: SeriesBatch): Promise<readonly PlainRows[]>;
  /** Ends the part. */
  finish(): Promise<PartResult>;
  /** Forgets the part; harmless after `finish`. */
  close(): void;
}

/** Rows as columns that move between threads; label bytes as in `LabelColumn`. Floats only. */
export interface PlainRows {
  readonly labelBytes: Uint8Array;
  readonly labelStarts: Uint32Array;
  readonly labelEnds: Uint32Array;
  readonly metadataHidden: boolean;
  readonly values: Float64Array;
  readonly presence: Uint8Array;
}

export interface PartResult {
  /** Groups with their state in the kernel (`GroupRows.state`), one after the other; absent when rows were wanted. */
  readonly groups:
    | { readonly labels: readonly (readonly string[])[]; readonly states: Float64Array }
    | undefined;
  readonly annotations: readonly Annotation[];
  readonly samplesRead: number;
}
