/** How a limit is written in a configuration: a plain number, a size in bytes, or a duration in ms. */
export type LimitKind = 'integer' | 'size' | 'duration';

export interface LimitField {
  /** The field of `Limits`. */
  readonly key: string;
  /** The key in a configuration file. */
  readonly name: string;
  readonly kind: LimitKind;
  /** Count, bytes or ms. */
  readonly default: number;
  /** One sentence for the reference. */
  readonly description: string;
}

const MINUTE_MS = 60_000;
const MIB = 1024 * 1024;

/** Every limit a tenant has, in the order of the reference. The names and most defaults are Cortex'. */
export const LIMIT_FIELDS = [
  {
    key: 'maxSeries',
    name: 'max_series',
    kind: 'integer',
    default: 5_000_000,
    description: 'Series in memory; samples of further ones are refused with 400. 0 for no limit.',
  },
  {
    key: 'maxLabelNamesPerSeries',
    name: 'max_label_names_per_series',
    kind: 'integer',
    default: 30,
    description: 'Labels of one series, the metric name included. 0 for no limit.',
  },
  {
    key: 'maxLabelNameLength',
    name: 'max_label_name_length',
    kind: 'integer',
    default: 1024,
    description: 'Bytes of a label name. 0 for no limit.',
  },
  {
    key: 'maxLabelValueLength',
    name: 'max_label_value_length',
    kind: 'integer',
    default: 2048,
    description: 'Bytes of a label value. 0 for no limit.',
  },
  {
    key: 'ingestionRate',
    name: 'ingestion_rate',
    kind: 'integer',
    default: 0,
    description: 'Samples per second; writes beyond are refused with 429. 0 for no limit.',
  },
  {
    key: 'ingestionBurstSize',
    name: 'ingestion_burst_size',
    kind: 'integer',
    default: 0,
    description: 'Samples that may come at once above the rate. 0 for twice the rate.',
  },
  {
    key: 'maxRequestSize',
    name: 'max_request_size',
    kind: 'size',
    default: 32 * MIB,
    description: 'Bytes of one write as sent; larger ones are refused with 413.',
  },
  {
    key: 'maxDecodedRequestSize',
    name: 'max_decoded_request_size',
    kind: 'size',
    default: 100 * MIB,
    description: 'Bytes of one write after decompression; larger ones are refused with 413.',
  },
  {
    key: 'outOfOrderTimeWindow',
    name: 'out_of_order_time_window',
    kind: 'duration',
    default: 0,
    description: "How far behind the tenant's newest sample a late sample may be. 0 accepts none.",
  },
  {
    key: 'creationGracePeriod',
    name: 'creation_grace_period',
    kind: 'duration',
    default: 10 * MINUTE_MS,
    description: 'How far ahead of the clock a sample may be.',
  },
  {
    key: 'maxExemplars',
    name: 'max_exemplars',
    kind: 'integer',
    default: 100_000,
    description: 'Exemplars kept in memory, the oldest give way; 0 keeps none.',
  },
  {
    key: 'maxMetadata',
    name: 'max_metadata',
    kind: 'integer',
    default: 8000,
    description: 'Metrics whose type, unit and help are kept. 0 for no limit.',
  },
  {
    key: 'maxMetadataLength',
    name: 'max_metadata_length',
    kind: 'integer',
    default: 1024,
    description: 'Bytes of metric name, unit and help each; longer help is cut. 0 for no limit.',
  },
  {
    key: 'maxSamplesPerQuery',
    name: 'max_samples_per_query',
    kind: 'integer',
    default: 0,
    description: 'Samples one query may hold in memory. 0 for what `query.max_samples` says.',
  },
  {
    key: 'queryTimeout',
    name: 'query_timeout',
    kind: 'duration',
    default: 0,
    description: 'A query that takes longer is ended. 0 for what `query.timeout` says.',
  },
  {
    key: 'maxFetchedSeriesPerQuery',
    name: 'max_fetched_series_per_query',
    kind: 'integer',
    default: 0,
    description: 'Series one query may select. 0 for no limit.',
  },
  {
    key: 'maxFetchedChunksPerQuery',
    name: 'max_fetched_chunks_per_query',
    kind: 'integer',
    default: 10_000_000,
    description: 'Chunks one query may read of blocks in the bucket. 0 for no limit.',
  },
  {
    key: 'maxDownloadedBytesPerRequest',
    name: 'max_downloaded_bytes_per_request',
    kind: 'size',
    default: 4096 * MIB,
    description:
      'Bytes one query may read of blocks in the bucket, with what lies between those it needs. 0 for no limit.',
  },
  {
    key: 'maxQueryLookback',
    name: 'max_query_lookback',
    kind: 'duration',
    default: 0,
    description: 'How far into the past queries may look; what is older is not shown. 0 for no limit.',
  },
  {
    key: 'maxQueryLength',
    name: 'max_query_length',
    kind: 'duration',
    default: 0,
    description: 'Time from start to end of one query. 0 for no limit.',
  },
  {
    key: 'maxSeriesPerStoreRequest',
    name: 'max_series_per_store_request',
    kind: 'integer',
    default: 0,
    description: 'Series one Series call over gRPC may answer; more are RESOURCE_EXHAUSTED. 0 for no limit.',
  },
  {
    key: 'maxSamplesPerStoreRequest',
    name: 'max_samples_per_store_request',
    kind: 'integer',
    default: 0,
    description:
      'Samples in the chunks that one Series call over gRPC may answer; more are RESOURCE_EXHAUSTED. 0 for no limit.',
  },
  {
    key: 'maxConcurrentStoreRequests',
    name: 'max_concurrent_store_requests',
    kind: 'integer',
    default: 0,
    description:
      'Series calls over gRPC that may be under way at once; further ones are RESOURCE_EXHAUSTED. 0 for no limit.',
  },
  {
    key: 'retentionRaw',
    name: 'retention_raw',
    kind: 'duration',
    default: 0,
    description:
      'How long raw blocks stay in the bucket, from their last sample; one that is yet to be downsampled stays until it is. 0 for ever.',
  },
  {
    key: 'retention5m',
    name: 'retention_5m',
    kind: 'duration',
    default: 0,
    description: 'How long blocks of 5m resolution stay in the bucket. 0 for ever.',
  },
  {
    key: 'retention1h',
    name: 'retention_1h',
    kind: 'duration',
    default: 0,
    description: 'How long blocks of 1h resolution stay in the bucket. 0 for ever.',
  },
] as const satisfies readonly LimitField[];

type Field = (typeof LIMIT_FIELDS)[number];

/** What one tenant may do: counts, bytes and ms, as `LIMIT_FIELDS` says. */
export type Limits = { readonly [K in Field['key']]: number };

/** Limits by their names in a configuration; absent ones are not set. */
export type LimitValues = { readonly [K in Field['name']]?: number | undefined };

export const DEFAULT_LIMITS: Limits = mergeLimits(
  Object.fromEntries(LIMIT_FIELDS.map((field) => [field.key, field.default])) as Limits,
  {},
);

/** `base` with the values that are set in `overrides`. */
export function mergeLimits(base: Limits, overrides: LimitValues): Limits {
  const merged: { -readonly [K in keyof Limits]: number } = { ...base };
  for (const { key, name } of LIMIT_FIELDS) merged[key] = overrides[name] ?? base[key];
  return merged;
}

/** The limits of every tenant; replaced as a whole when the configuration is read again. */
export class TenantLimits {
  #base: Limits = DEFAULT_LIMITS;
  #byTenant = new Map<string, Limits>();

  constructor(limits: LimitValues = {}, overrides: Readonly<Record<string, LimitValues>> = {}) {
    this.replace(limits, overrides);
  }

  of(tenant: string): Limits {
    return this.#byTenant.get(tenant) ?? this.#base;
  }

  replace(limits: LimitValues, overrides: Readonly<Record<string, LimitValues>>): void {
    const base = mergeLimits(DEFAULT_LIMITS, limits);
    const byTenant = new Map<string, Limits>();
    for (const [tenant, values] of Object.entries(overrides)) byTenant.set(tenant, mergeLimits(base, values));
    this.#base = base;
    this.#byTenant = byTenant;
  }
}
