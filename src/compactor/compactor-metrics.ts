import type { Counter, Gauge, Histogram, Metrics } from '../platform/metrics.ts';

/** What the compactor counts. */
export interface CompactorMetrics {
  readonly rounds: Counter<'outcome'>;
  readonly lastSuccess: Gauge;
  readonly jobs: Counter<'kind' | 'outcome'>;
  readonly jobSeconds: Histogram<'kind'>;
  readonly bytesRead: Counter;
  readonly samplesRead: Counter;
  readonly samplesWritten: Counter;
  readonly quarantined: Counter;
  readonly repaired: Counter;
  readonly marked: Counter<'reason'>;
  readonly deleted: Counter<'kind'>;
  readonly todoJobs: Gauge<'kind'>;
  readonly todoBlocks: Gauge<'kind'>;
  readonly todoBytes: Gauge<'kind'>;
  readonly eta: Gauge;
  readonly shortages: Gauge;
  readonly failing: Gauge;
  readonly tenantFailures: Counter;
}

const JOB_SECONDS = [1, 5, 15, 60, 300, 900, 3600, 14_400];

export function compactorMetrics(metrics: Metrics): CompactorMetrics {
  const p = 'verona_compactor_';
  return {
    rounds: metrics.counter(`${p}rounds_total`, 'Rounds over all tenants.', ['outcome']),
    lastSuccess: metrics.gauge(
      `${p}last_successful_round_timestamp_seconds`,
      'When a round ended in which nothing failed.',
    ),
    jobs: metrics.counter(`${p}jobs_total`, 'Jobs done.', ['kind', 'outcome']),
    jobSeconds: metrics.histogram(`${p}job_duration_seconds`, 'How long jobs took.', JOB_SECONDS, ['kind']),
    bytesRead: metrics.counter(`${p}read_bytes_total`, 'Bytes of blocks that jobs read.'),
    samplesRead: metrics.counter(`${p}samples_read_total`, 'Samples that jobs read.'),
    samplesWritten: metrics.counter(`${p}samples_written_total`, 'Samples in blocks that jobs made.'),
    quarantined: metrics.counter(
      `${p}blocks_quarantined_total`,
      'Blocks set aside because they are damaged.',
    ),
    repaired: metrics.counter(`${p}blocks_repaired_total`, 'Damaged blocks that were written anew.'),
    marked: metrics.counter(`${p}blocks_marked_for_deletion_total`, 'Blocks marked for deletion.', [
      'reason',
    ]),
    deleted: metrics.counter(`${p}blocks_deleted_total`, 'Blocks and leftovers of uploads removed.', [
      'kind',
    ]),
    todoJobs: metrics.gauge(`${p}todo_jobs`, 'Jobs that could be done now.', ['kind']),
    todoBlocks: metrics.gauge(`${p}todo_blocks`, 'Blocks that these jobs read.', ['kind']),
    todoBytes: metrics.gauge(`${p}todo_bytes`, 'Bytes that these jobs read.', ['kind']),
    eta: metrics.gauge(
      `${p}todo_eta_seconds`,
      'How long the jobs would take at the speed of the last ones; 0 when nothing is known.',
    ),
    shortages: metrics.gauge(
      `${p}jobs_waiting_for_disk`,
      'Jobs to be done that the disk had no room for when they were last tried.',
    ),
    failing: metrics.gauge(
      `${p}jobs_failing`,
      'Jobs to be done that failed when they were last tried, and are tried again later.',
    ),
    tenantFailures: metrics.counter(
      `${p}tenant_failures_total`,
      'Tenants that could not be looked at in a round.',
    ),
  };
}
