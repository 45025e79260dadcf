import type { Exemplar } from '../model/exemplar.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { SeriesBatch } from './series-batch.ts';

/** Carried by every read: cancellation with its deadline. The tenant was decided before a querier was made. */
export interface ReadContext {
  readonly signal: AbortSignal;
  /** Set when the caller wants to know which source gave what. */
  readonly tally?: ReadTally;
  /** To be called by a source when something came that is not enough yet to be given on: it is slow then, and not stuck. */
  readonly progress?: () => void;
}

/** Collects what each source of a read gives. */
export interface ReadTally {
  /** The counts of a source, to be added to. */
  source(name: string): SourceTally;
  /** ms, from a clock that never goes back. */
  readonly now: () => number;
}

export interface SourceTally {
  batches: number;
  series: number;
  chunks: number;
  samples: number;
  bytes: number;
  /** How long the source was waited for. */
  timeMs: number;
}

/** What the query engine tells a source about why it reads; a source may ignore all of it. */
export interface SelectHints {
  /** The function or aggregation closest to the selector, e.g. `rate`, `sum`. */
  readonly func?: string;
  readonly stepMs?: number;
  readonly rangeMs?: number;
  /** No samples wanted, only label sets: the chunk columns come empty. */
  readonly labelsOnly?: boolean;
  /** Of each series only its newest sample in range is looked at, a staleness marker included: a source may leave out all before it. */
  readonly newestOnly?: boolean;
  /** At most this many series are of interest. */
  readonly limit?: number;
  /** Start timestamps of samples are wanted; without this a source may leave them out. */
  readonly startTimes?: boolean;
}

export interface SelectRequest {
  /** At least one matcher. A series is selected when all match. */
  readonly matchers: readonly Matcher[];
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  /** Whether series must come ordered by `compareLabels` over the whole answer. Merging needs it; aggregations do not. */
  readonly sorted: boolean;
  readonly hints?: SelectHints;
  /** Stores elsewhere that must not be asked, by address: the caller has their part from them in another way. */
  readonly without?: readonly string[];
}

export interface ExemplarSeries {
  readonly labels: Labels;
  /** Ordered by time. */
  readonly exemplars: readonly Exemplar[];
}

export interface LabelRequest {
  /** None selects everything. */
  readonly matchers: readonly Matcher[];
  readonly mint: number;
  readonly maxt: number;
  /** 0: no limit. */
  readonly limit: number;
}

/**
 * One consistent view of one tenant's data. Made per query, closed after it; everything it reads stays
 * readable until then. Errors are `VeronaError`; a missing part of the answer is a warning, never silence.
 */
export interface Querier {
  /** Each series appears once. Batches hold at least one series, and are bounded in series and bytes by the source. */
  select(ctx: ReadContext, request: SelectRequest): AsyncIterable<SeriesBatch>;
  /** Sorted, unique. */
  labelNames(ctx: ReadContext, request: LabelRequest): Promise<readonly string[]>;
  /** Sorted, unique. */
  labelValues(ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]>;
  /** Series with exemplars in range that match any of the matcher sets. */
  exemplars(
    ctx: ReadContext,
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]>;
  /** What the answers so far may lack, in plain sentences. */
  readonly warnings: readonly string[];
  /** Labels that every series of a select has, given with them in the order of all labels; absent when nobody says. */
  readonly labelled?: Labels;
  close(): Promise<void>;
}

export interface Queryable {
  /** A view that covers mint … maxt (ms, inclusive). */
  querier(mint: number, maxt: number): Promise<Querier>;
}
