import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';

/** What stands behind an endpoint: answers the StoreAPI's calls for one tenant at a time. Errors are `VeronaError`. */
export interface StoreServer {
  /** `tenants`: whom the caller may know of; all when undefined. */
  info(tenant: string, tenants?: readonly string[]): Promise<StoreInfo>;
  /**
   * Frames (bytes of SeriesResponse, `proto/store-series.ts`) as they become ready. Whoever stops iterating, or aborts
   * the signal, ends the work behind them.
   */
  series(tenant: string, request: SeriesRequest, signal: AbortSignal): AsyncIterable<Uint8Array>;
  labelNames(tenant: string, request: LabelsRequest, signal: AbortSignal): Promise<LabelsAnswer>;
  labelValues(
    tenant: string,
    name: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<LabelsAnswer>;
}

/** What an endpoint holds. Times in ms, both inclusive. */
export interface StoreInfo {
  /** `sidecar`, `store`, `receive`, `query` …: the words that Thanos shows. */
  readonly component: string;
  /** External labels of the data; several when several sources stand behind the endpoint. */
  readonly labelSets: readonly Labels[];
  readonly mint: number;
  readonly maxt: number;
}

export type PartialResponse = 'warn' | 'abort';

export interface SeriesRequest {
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  readonly matchers: readonly Matcher[];
  /** Coarsest resolution wanted, ms; 0 is raw samples only. */
  readonly maxResolutionMs: number;
  readonly aggregates: readonly number[];
  readonly partialResponse: PartialResponse;
  readonly skipChunks: boolean;
  readonly stepMs: number;
  readonly rangeMs: number;
  readonly func: string;
  readonly shard: Shard | undefined;
  readonly withoutReplicaLabels: readonly string[];
  /** Most series; 0 for all. */
  readonly limit: number;
  /** Series per frame, at least 1. */
  readonly batchSize: number;
}

/** A part of all series: those whose hash over the chosen labels has this remainder. */
export interface Shard {
  readonly index: number;
  readonly total: number;
  readonly by: boolean;
  readonly labels: readonly string[];
}

export interface LabelsRequest {
  readonly mint: number;
  readonly maxt: number;
  readonly matchers: readonly Matcher[];
  readonly withoutReplicaLabels: readonly string[];
  readonly limit: number;
  readonly partialResponse: PartialResponse;
}

export interface LabelsAnswer {
  readonly values: readonly string[];
  readonly warnings: readonly string[];
}
