import type { VeronaError } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { Appender, AppendOutcome } from '../storage/appender.ts';

/** Why a series may not be made. */
export interface SeriesRefusal {
  readonly outcome: 'series_limit' | 'invalid_labels';
  /** A sentence for the sender. */
  readonly reason: string;
}

/** Asked once per label set that is new to the head; `seriesCount` is how many it holds already. */
export interface SeriesPolicy {
  admit(labels: Labels, seriesCount: number): SeriesRefusal | undefined;
}

/** What became of a write. What was not refused is stored and in the log. */
export interface WriteResult {
  /** Stored, known duplicates included. */
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  /** How many were refused, by outcome. */
  readonly refusedCounts: ReadonlyMap<AppendOutcome, number>;
  /** The first few of them. `t` in ms; `reason` in Prometheus' words. */
  readonly refused: readonly {
    readonly outcome: AppendOutcome;
    readonly labels: Labels;
    readonly t: number;
    readonly reason: string;
  }[];
}

/** A remote write request as it came, and what it may do. */
export interface WriteOrder {
  /** snappy-compressed. */
  readonly body: Uint8Array;
  /** `1`: prometheus.WriteRequest; `2`: io.prometheus.write.v2.Request. */
  readonly version: 1 | 2;
  readonly decodedMax: number;
  readonly policy: SeriesPolicy;
}

export interface WriteOutcome {
  readonly result: WriteResult;
  /** Set when the request does not parse beyond some point; what came before is stored, and counted if that is known. */
  readonly malformed: VeronaError | undefined;
}

/**
 * What writing needs of one tenant's storage. Both ways resolve when the log has what was not refused, and reject with
 * `unavailable` when the log cannot be written; `write` also with `too_large` when the body decodes to too much.
 */
export interface TenantDb {
  write(order: WriteOrder): Promise<WriteOutcome>;
  appender(policy: SeriesPolicy): Appender | Promise<Appender>;
}

/** The tenants with a head in this process. Opens one on its first write; rejects with `limit` or `unavailable` when it cannot. */
export interface TenantStorage {
  open(tenant: string): Promise<TenantDb>;
}
