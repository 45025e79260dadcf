import type { WireLabelSet } from './messages.ts';

/** Messages of Rules, Targets and Metadata as the loader gives and takes them; what a peer left out is null, or absent. */
export interface WireTimestamp {
  readonly seconds: number;
  readonly nanos: number;
}

export interface WireRulesRequest {
  /** ALL 0, ALERT 1, RECORD 2. */
  readonly type: number;
  readonly partial_response_strategy: number;
  readonly matcher_string: readonly string[];
  readonly rule_name: readonly string[];
  readonly rule_group: readonly string[];
  readonly file: readonly string[];
}

export interface WireRuleGroup {
  readonly name: string;
  readonly file: string;
  readonly rules: readonly WireRule[];
  /** Seconds. */
  readonly interval: number;
  readonly evaluation_duration_seconds: number;
  readonly last_evaluation?: WireTimestamp | null;
  /** WARN 0, ABORT 1. */
  readonly PartialResponseStrategy?: number;
  readonly limit?: number;
}

/** One of the two. */
export interface WireRule {
  readonly recording?: WireRecordingRule | null;
  readonly alert?: WireAlertRule | null;
}

export interface WireRecordingRule {
  readonly name: string;
  readonly query: string;
  readonly labels?: WireLabelSet | null;
  readonly health: string;
  readonly last_error: string;
  readonly evaluation_duration_seconds: number;
  readonly last_evaluation?: WireTimestamp | null;
}

export interface WireAlertRule extends WireRecordingRule {
  /** As `ALERT_STATES` numbers them. */
  readonly state: number;
  readonly duration_seconds: number;
  readonly keep_firing_for_seconds?: number;
  readonly annotations?: WireLabelSet | null;
  readonly alerts: readonly WireAlertInstance[];
}

export interface WireAlertInstance {
  readonly labels?: WireLabelSet | null;
  readonly annotations?: WireLabelSet | null;
  readonly state: number;
  readonly active_at?: WireTimestamp | null;
  readonly value: string;
}

export interface WireTargetsRequest {
  /** ANY 0, ACTIVE 1, DROPPED 2. */
  readonly state: number;
  readonly partial_response_strategy: number;
}

export interface WireTargets {
  readonly activeTargets: readonly WireActiveTarget[];
  readonly droppedTargets: readonly WireDroppedTarget[];
}

export interface WireActiveTarget {
  readonly discoveredLabels?: WireLabelSet | null;
  readonly labels?: WireLabelSet | null;
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly globalUrl: string;
  readonly lastError: string;
  readonly lastScrape?: WireTimestamp | null;
  /** Seconds. */
  readonly lastScrapeDuration: number;
  /** DOWN 0, UP 1, UNKNOWN 2. */
  readonly health: number;
  /** Known of this process' own targets only: the wire has no field for them. As durations, `15s`. */
  readonly scrapeInterval?: string;
  readonly scrapeTimeout?: string;
}

export interface WireDroppedTarget {
  readonly discoveredLabels?: WireLabelSet | null;
  /** Of own targets only. */
  readonly scrapePool?: string;
}

export interface WireMetadataRequest {
  readonly metric: string;
  /** -1: all. */
  readonly limit: number;
  readonly partial_response_strategy: number;
}

/** By metric. */
export type WireMetadata = Readonly<Record<string, { readonly metas: readonly WireMeta[] }>>;

export interface WireMeta {
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

/** What the streams carry: a part of the answer, or a warning. */
export interface WireRulesResponse {
  readonly group?: WireRuleGroup;
  readonly warning?: string;
}

export interface WireTargetsResponse {
  readonly targets?: WireTargets;
  readonly warning?: string;
}

export interface WireMetadataResponse {
  readonly metadata?: { readonly metadata: WireMetadata };
  readonly warning?: string;
}

export interface WireStatisticsRequest {
  /** Entries of each list. */
  readonly limit: number;
  readonly partial_response_strategy: number;
}

/** What a head holds; times in ms, lists the largest first. */
export interface WireTsdbStatistics {
  readonly head_statistics?: {
    readonly num_series: number;
    readonly num_label_pairs: number;
    readonly chunk_count: number;
    readonly min_time: number;
    readonly max_time: number;
  } | null;
  readonly series_count_by_metric_name: readonly WireStatistic[];
  readonly label_value_count_by_label_name: readonly WireStatistic[];
  readonly memory_in_bytes_by_label_name: readonly WireStatistic[];
  readonly series_count_by_label_value_pair: readonly WireStatistic[];
}

export interface WireStatistic {
  readonly name: string;
  readonly value: number;
}

export interface WireStatisticsResponse {
  /** By tenant. */
  readonly statistics?: { readonly statistics: Readonly<Record<string, WireTsdbStatistics>> };
  readonly warning?: string;
}
