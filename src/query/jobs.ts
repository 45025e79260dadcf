import type { MatchType } from '../model/matcher.ts';
import type { WireLabelNamesRequest, WireSeriesRequest } from '../storeapi/messages.ts';
import type { SeriesLimits } from '../storeapi/series-limits.ts';
import type { Shard } from '../storeapi/store-server.ts';

/** A matcher as plain data, to travel between threads. */
export interface PlainMatcher {
  readonly type: MatchType;
  readonly name: string;
  readonly value: string;
}

interface QueryOptions {
  readonly query: string;
  /** 0: the engine's default. */
  readonly lookbackDeltaMs: number;
  /** The coarsest downsampled data that will do, ms; 0 for raw only, absent for raw first and others in its gaps. */
  readonly resolutionMaxMs?: number;
  /** The coarsest downsampled data that come before finer ones, ms; coarser ones fill gaps up to the most. The most when absent. */
  readonly resolutionBestMs?: number;
  /** Most series in the answer; 0 for all. */
  readonly limit: number;
  readonly stats: 'none' | 'some' | 'all';
  /** Whether to tell what each operator did. */
  readonly analyze: boolean;
}

interface StoreOptions {
  /** External labels that every series gets: name, value, name, value … sorted. */
  readonly external: readonly string[];
}

interface LabelOptions {
  readonly matcherSets: readonly (readonly PlainMatcher[])[];
  readonly startMs: number;
  readonly endMs: number;
  readonly limit: number;
}

/** Which labels have how many values, which values how many series, and which series there are. */
export interface CardinalityJob {
  readonly kind: 'cardinality';
  readonly what: 'labelNames' | 'labelValues' | 'activeSeries';
  /** Labels whose values are counted, for `labelValues`. */
  readonly names: readonly string[];
  /** None for all series. */
  readonly matchers: readonly PlainMatcher[];
  readonly startMs: number;
  readonly endMs: number;
  /** Only the head is looked at, not the blocks. */
  readonly headOnly: boolean;
  /** Only series with a sample since `startMs`. */
  readonly isActive: boolean;
  /** Items of each list in the answer. */
  readonly limit: number;
  /** How many series there are whatever the matchers, when that is known. */
  readonly seriesTotal?: number;
}

/** What the tenant's limits leave to one request; 0 is no limit of its own. */
export interface JobLimits {
  readonly samplesMax: number;
  readonly seriesMax: number;
  /** Nothing before this time is shown, ms; -Infinity for everything. */
  readonly mint: number;
  /** Of what one read over the StoreAPI answers; absent for none. */
  readonly ofStore?: SeriesLimits;
}

/** Which sources a request wants, and how their series are joined. */
export interface ReadOptions {
  /** Only what this process keeps itself. */
  readonly ownOnly?: boolean;
  readonly dedup: boolean;
  /** Instead of those of the configuration. */
  readonly replicaLabels: readonly string[] | undefined;
  /** undefined: as the configuration says. */
  readonly partialResponse: boolean | undefined;
  /** Only stores that one of the sets matches; none for all. */
  readonly storeMatches: readonly (readonly PlainMatcher[])[];
  /** Only series of this shard, as they are when replicas are joined. */
  readonly shard?: Shard;
}

/** What a read request asks for, as plain data: made from HTTP on one thread, answered on another. Times in ms. */
export type QueryJob = RequestJob & { readonly read?: ReadOptions };

type RequestJob =
  | ({ readonly kind: 'instant'; readonly timeMs: number } & QueryOptions)
  | ({
      readonly kind: 'range';
      readonly startMs: number;
      readonly endMs: number;
      readonly stepMs: number;
    } & QueryOptions)
  | {
      readonly kind: 'explain';
      readonly query: string;
      readonly lookbackDeltaMs: number;
      readonly times:
        | { readonly timeMs: number }
        | { readonly startMs: number; readonly endMs: number; readonly stepMs: number };
    }
  | ({ readonly kind: 'labelNames' } & LabelOptions)
  | ({ readonly kind: 'labelValues'; readonly name: string } & LabelOptions)
  | ({ readonly kind: 'series' } & LabelOptions)
  | CardinalityJob
  | { readonly kind: 'exemplars'; readonly query: string; readonly startMs: number; readonly endMs: number }
  | {
      readonly kind: 'federate';
      readonly matcherSets: readonly (readonly PlainMatcher[])[];
      readonly timeMs: number;
    }
  | { readonly kind: 'remoteRead'; readonly body: Uint8Array }
  | ({ readonly kind: 'storeSeries'; readonly request: WireSeriesRequest } & StoreOptions)
  | ({ readonly kind: 'storeLabelNames'; readonly request: WireLabelNamesRequest } & StoreOptions)
  | ({
      readonly kind: 'storeLabelValues';
      readonly name: string;
      readonly request: WireLabelNamesRequest;
    } & StoreOptions)
  | ({
      readonly kind: 'storeQuery';
      readonly query: string;
      readonly times:
        | { readonly timeMs: number }
        | { readonly startMs: number; readonly endMs: number; readonly stepMs: number };
      /** 0: the engine's default. */
      readonly lookbackDeltaMs: number;
      readonly resolutionMaxMs: number;
      /** Series per message, at least 1. */
      readonly batchSize: number;
    } & StoreOptions)
  | ({
      readonly kind: 'storeExemplars';
      readonly query: string;
      readonly startMs: number;
      readonly endMs: number;
    } & StoreOptions);
