import type { SeriesTarget } from '../../storage/series-writer.ts';
import { KnownLine } from './known-line.ts';
import type { SampleLabels } from './sample-labels.ts';
import { findSlot, type StoredCounts } from './scrape-batch.ts';

/** What is told of one scrape. */
export interface ScrapeReport {
  readonly up: number;
  readonly durationSeconds: number;
  readonly samplesScraped: number;
  readonly samplesKept: number;
  readonly seriesAdded: number;
  readonly timeoutSeconds: number;
  readonly sampleLimit: number;
  /** -1 when the body was too long, 0 when there was none. */
  readonly bodyBytes: number;
}

/** Prometheus' series about a scrape, and what they tell. */
const SERIES: readonly (readonly [string, keyof ScrapeReport])[] = [
  ['up', 'up'],
  ['scrape_duration_seconds', 'durationSeconds'],
  ['scrape_samples_scraped', 'samplesScraped'],
  ['scrape_samples_post_metric_relabeling', 'samplesKept'],
  ['scrape_series_added', 'seriesAdded'],
];
const EXTRA_SERIES: readonly (readonly [string, keyof ScrapeReport])[] = [
  ['scrape_timeout_seconds', 'timeoutSeconds'],
  ['scrape_sample_limit', 'sampleLimit'],
  ['scrape_body_size_bytes', 'bodyBytes'],
];

/** The series that tell of the scrapes of one target. */
export class ReportSeries {
  readonly #labels: SampleLabels;
  readonly #series: readonly { readonly line: KnownLine; readonly value: keyof ScrapeReport }[];
  #generation = -1;

  constructor(labels: SampleLabels, isExtra: boolean) {
    this.#labels = labels;
    const all = isExtra ? [...SERIES, ...EXTRA_SERIES] : SERIES;
    this.#series = all.map(([name, value]) => ({ line: new KnownLine(name, true), value }));
  }

  /** Forgets where series were that the storage has given up. */
  verify(target: SeriesTarget): void {
    if (target.generation === this.#generation) return;
    this.#generation = target.generation;
    for (const { line } of this.#series)
      if (line.slot !== 0 && !target.holds(line.slot, line.ref)) line.slot = 0;
  }

  store(target: SeriesTarget, t: number, report: ScrapeReport, counts: StoredCounts): void {
    for (const { line, value } of this.#series) {
      if (!this.#find(line, target, counts)) continue;
      const outcome = target.append(line.slot, t, report[value]);
      if (outcome === 'ok' || outcome === 'duplicate') counts.samples++;
      else counts.refuse(outcome);
    }
  }

  storeStale(target: SeriesTarget, t: number, counts: StoredCounts): void {
    for (const { line } of this.#series)
      if (line.slot !== 0 && target.appendStale(line.slot, t)) counts.samples++;
  }

  #find(line: KnownLine, target: SeriesTarget, counts: StoredCounts): boolean {
    if (line.slot !== 0) return true;
    line.labels = this.#labels.ofReport(line.key);
    return findSlot(line, target, counts);
  }
}
