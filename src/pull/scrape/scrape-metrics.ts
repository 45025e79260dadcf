import type { Counter, Gauge, Histogram, Metrics } from '../../platform/metrics.ts';
import type { StoredCounts } from './scrape-batch.ts';

/** What is counted of scraping, in sum over all targets. */
export class ScrapeMetrics {
  readonly scrapes: Counter;
  readonly failures: Counter;
  readonly duplicates: Counter;
  readonly targets: Gauge<'scrape_job'>;
  readonly poolFailures: Counter;
  readonly refreshFailures: Counter<'mechanism'>;
  readonly reloadsFailed: Counter;
  readonly #durations: Histogram;
  readonly #refused: Counter<'reason'>;

  constructor(metrics: Metrics) {
    this.scrapes = metrics.counter('verona_scrapes_total', 'Scrapes, failed ones included.');
    this.failures = metrics.counter('verona_scrape_failures_total', 'Scrapes that failed.');
    this.duplicates = metrics.counter(
      'verona_scrape_duplicate_samples_total',
      'Samples left out because their series was in the same scrape before.',
    );
    this.targets = metrics.gauge('verona_scrape_targets', 'Targets that are scraped.', ['scrape_job']);
    this.poolFailures = metrics.counter(
      'verona_scrape_exceeded_target_limit_total',
      'Times that a job had more targets than its target_limit.',
    );
    this.refreshFailures = metrics.counter(
      'verona_discovery_refresh_failures_total',
      'Attempts to find targets that failed.',
      ['mechanism'],
    );
    this.reloadsFailed = metrics.counter(
      'verona_scrape_reload_failures_total',
      'Times that the scrape configuration could not be read again.',
    );
    this.#durations = metrics.histogram(
      'verona_scrape_duration_seconds',
      'From the request to the answer of the log.',
      [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
    );
    this.#refused = metrics.counter(
      'verona_scrape_refused_samples_total',
      'Samples and exemplars of scrapes that were not stored.',
      ['reason'],
    );
  }

  noteScrape(durationMs: number): void {
    this.scrapes.inc();
    this.#durations.observe(durationMs / 1000);
  }

  noteRefused({ refusedCounts }: StoredCounts): void {
    if (refusedCounts.size === 0) return;
    for (const [reason, count] of refusedCounts) this.#refused.inc({ reason }, count);
  }
}
