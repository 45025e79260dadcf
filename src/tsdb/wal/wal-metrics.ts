import type { Counter, Gauge, Histogram, Metrics } from '../../platform/metrics.ts';

const SYNC_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What all write-ahead logs of a process count together. */
export interface WalMetrics {
  readonly bytes: Counter;
  readonly records: Counter;
  readonly segments: Counter;
  readonly failures: Counter;
  readonly pendingBytes: Gauge;
  readonly syncSeconds: Histogram;
}

export function walMetrics(metrics: Metrics): WalMetrics {
  return {
    bytes: metrics.counter('verona_wal_written_bytes_total', 'Bytes written to write-ahead logs.'),
    records: metrics.counter('verona_wal_records_total', 'Records written to write-ahead logs.'),
    segments: metrics.counter('verona_wal_segments_finished_total', 'Segments of write-ahead logs finished.'),
    failures: metrics.counter(
      'verona_wal_failures_total',
      'Writes or syncs of write-ahead logs that failed.',
    ),
    pendingBytes: metrics.gauge('verona_wal_pending_bytes', 'Bytes of records that wait to be written.'),
    syncSeconds: metrics.histogram(
      'verona_wal_sync_seconds',
      'How long it took to make a write-ahead log durable.',
      SYNC_SECONDS,
    ),
  };
}
