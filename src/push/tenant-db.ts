import type { ByteParts } from '../encoding/byte-parts.ts';
import type { Labels } from '../model/labels.ts';
import type { Appender, AppendOutcome } from '../storage/appender.ts';
import type { SeriesTarget } from '../storage/series-writer.ts';

/** Why a series may not be made. */
export interface SeriesRefusal {
  readonly outcome: 'series_limit' | 'invalid_labels';
  /** A sentence for the sender. */
  readonly reason: string;
}

/** Asked once per label set that is new to the head; `seriesCount` is how many it holds already. */
export interface SeriesPolicy {
  admit(labels: Labels, seriesCount: number): SeriesRefusal | undefined;
  /** The same question about canonical label bytes in ASCII: true only if `admit` refuses nothing. */
  admitsBytes(labelBytes: Uint8Array, seriesCount: number): boolean;
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

/** What writing needs of one tenant's storage. */
export interface TenantDb {
  /**
   * Applies a snappy-compressed remote write request (`1`: prometheus.WriteRequest, `2`: io.prometheus.write.v2.Request)
   * and resolves when the log has what was not refused. Rejects with `bad_data` or `too_large` when it does not parse
   * (what came before the fault is stored), with `unavailable` when the log cannot be written.
   */
  write(body: ByteParts, version: 1 | 2, decodedMax: number, policy: SeriesPolicy): Promise<WriteResult>;
  appender(policy: SeriesPolicy): Appender | Promise<Appender>;
  /** Lets `apply` append by slot, and resolves when the log has it; see `SeriesWriter`. */
  writeSeries<T>(policy: SeriesPolicy, apply: (target: SeriesTarget) => T): Promise<T>;
}

/** The tenants with a head in this process. Opens one on its first write; rejects with `limit` or `unavailable` when it cannot. */
export interface TenantStorage {
  open(tenant: string): Promise<TenantDb>;
}
