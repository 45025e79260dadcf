/** Messages of `proto/thanos` as the loader gives and takes them. Times in ms unless the name says seconds. */
export interface WireLabel {
  readonly name: string;
  readonly value: string;
}

export interface WireLabelSet {
  readonly labels: readonly WireLabel[];
}

export interface WireMatcher {
  /** EQ 0, NEQ 1, RE 2, NRE 3. */
  readonly type: number;
  readonly name: string;
  readonly value: string;
}

export interface WireShardInfo {
  readonly shard_index: number;
  readonly total_shards: number;
  readonly by: boolean;
  readonly labels: readonly string[];
}

export interface WireSeriesRequest {
  readonly min_time: number;
  readonly max_time: number;
  readonly matchers: readonly WireMatcher[];
  readonly max_resolution_window: number;
  readonly aggregates: readonly number[];
  readonly partial_response_disabled: boolean;
  /** WARN 0, ABORT 1. */
  readonly partial_response_strategy: number;
  readonly skip_chunks: boolean;
  readonly query_hints: WireQueryHints | null;
  readonly shard_info: WireShardInfo | null;
  readonly without_replica_labels: readonly string[];
  readonly limit: number;
  readonly response_batch_size: number;
}

export interface WireQueryHints {
  readonly step_millis: number;
  readonly func: { readonly name: string } | null;
  readonly grouping: { readonly by: boolean; readonly labels: readonly string[] } | null;
  readonly range: { readonly millis: number } | null;
}

export interface WireLabelNamesRequest {
  readonly partial_response_disabled: boolean;
  readonly partial_response_strategy: number;
  readonly start: number;
  readonly end: number;
  readonly matchers: readonly WireMatcher[];
  readonly without_replica_labels: readonly string[];
  readonly limit: number;
}

export interface WireLabelValuesRequest extends WireLabelNamesRequest {
  readonly label: string;
}

export interface WireLabelNamesResponse {
  readonly names: readonly string[];
  readonly warnings: readonly string[];
}

export interface WireLabelValuesResponse {
  readonly values: readonly string[];
  readonly warnings: readonly string[];
}

export interface WireInfoResponse {
  readonly label_sets: readonly WireLabelSet[];
  readonly ComponentType: string;
  readonly store: WireStoreInfo | null;
  readonly rules: object | null;
  readonly metric_metadata: object | null;
  readonly targets: object | null;
  readonly exemplars: { readonly min_time: number; readonly max_time: number } | null;
  readonly query: object | null;
  readonly status: object | null;
}

export interface WireStoreInfo {
  readonly min_time: number;
  readonly max_time: number;
  readonly supports_sharding: boolean;
  readonly supports_without_replica_labels: boolean;
  readonly tsdb_infos: readonly {
    readonly labels: WireLabelSet | null;
    readonly min_time: number;
    readonly max_time: number;
  }[];
}

/** `thanos.Query`: times are whole seconds. */
interface WireQueryOptions {
  readonly query: string;
  readonly timeout_seconds: number;
  readonly max_resolution_seconds: number;
  readonly replica_labels: readonly string[];
  readonly storeMatchers: readonly { readonly labelMatchers: readonly WireMatcher[] }[];
  readonly enableDedup: boolean;
  readonly enablePartialResponse: boolean;
  readonly lookback_delta_seconds: number;
  readonly response_batch_size: number;
}

export interface WireQueryRequest extends WireQueryOptions {
  /** 0: now. */
  readonly time_seconds: number;
}

export interface WireQueryRangeRequest extends WireQueryOptions {
  readonly start_time_seconds: number;
  readonly end_time_seconds: number;
  readonly interval_seconds: number;
}
