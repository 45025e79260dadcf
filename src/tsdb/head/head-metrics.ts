import type { Counter, Gauge, Metrics } from '../../platform/metrics.ts';
import type { ReplayCounts } from './replay.ts';

/** What all heads of a process count together. */
export interface HeadMetrics {
  readonly series: Gauge;
  readonly seriesCollected: Counter;
  readonly lateSamples: Counter;
  readonly truncations: Counter;
  noteReplay(counts: ReplayCounts, tookMs: number): void;
}

export function headMetrics(metrics: Metrics): HeadMetrics {
  const replayed = metrics.counter(
    'verona_head_replayed_samples_total',
    'Samples read back from the log at start.',
  );
  const seconds = metrics.counter('verona_head_replay_seconds_total', 'Time spent reading back the log.');
  const faults = metrics.counter(
    'verona_head_replay_faults_total',
    'Parts of the log that could not be used.',
    ['kind'],
  );
  return {
    series: metrics.gauge('verona_head_series', 'Series in memory.'),
    seriesCollected: metrics.counter(
      'verona_head_series_collected_total',
      'Series forgotten for lack of samples.',
    ),
    lateSamples: metrics.counter('verona_head_out_of_order_samples_total', 'Samples accepted although late.'),
    truncations: metrics.counter('verona_head_truncations_total', 'Times old samples were forgotten.'),
    noteReplay(counts, tookMs) {
      replayed.inc(counts.samples + counts.histograms + counts.lateSamples);
      seconds.inc(tookMs / 1000);
      faults.inc({ kind: 'damage' }, counts.damages);
      faults.inc({ kind: 'bad_record' }, counts.badRecords);
      faults.inc({ kind: 'unknown_ref' }, counts.unknownRefs);
    },
  };
}
