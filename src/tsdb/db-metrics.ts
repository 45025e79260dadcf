import type { Counter, Metrics } from '../platform/metrics.ts';

/** What all tenants' storages of a process count together. */
export interface DbMetrics {
  readonly compactions: Counter;
  readonly compactionSeconds: Counter;
  readonly blocks: Counter;
  readonly blocksRemoved: Counter;
  readonly failures: Counter;
}

export function dbMetrics(metrics: Metrics): DbMetrics {
  return {
    compactions: metrics.counter(
      'verona_tsdb_head_compactions_total',
      'Times a range of the head was cut off.',
    ),
    compactionSeconds: metrics.counter(
      'verona_tsdb_head_compaction_seconds_total',
      'Time spent making blocks.',
    ),
    blocks: metrics.counter('verona_tsdb_blocks_made_total', 'Blocks made from heads.'),
    blocksRemoved: metrics.counter('verona_tsdb_blocks_removed_total', 'Local blocks removed by retention.'),
    failures: metrics.counter('verona_tsdb_maintenance_failures_total', 'Maintenance runs that failed.'),
  };
}
