import type { Metadata } from '../../model/metadata.ts';

/** Metrics with metadata per tenant, and different metadata per metric (sources may disagree). */
export const METADATA_METRICS_MAX = 8_000;
export const METADATA_PER_METRIC_MAX = 10;

/** What is known of metrics besides samples, newest first per metric; bounded, in memory and in the log. */
export class MetricMetadata {
  readonly #byMetric = new Map<string, Metadata[]>();

  /** False when it was known, or when a limit is reached. */
  set(metric: string, metadata: Metadata): boolean {
    const known = this.#byMetric.get(metric);
    if (known === undefined) {
      if (this.#byMetric.size >= METADATA_METRICS_MAX) return false;
      this.#byMetric.set(metric, [metadata]);
      return true;
    }
    const at = known.findIndex((other) => isSame(other, metadata));
    if (at === 0) return false;
    if (at > 0) known.splice(at, 1);
    known.unshift(metadata);
    if (known.length > METADATA_PER_METRIC_MAX) known.pop();
    return at < 0;
  }

  get(metric: string): readonly Metadata[] {
    return this.#byMetric.get(metric) ?? [];
  }

  entries(): IterableIterator<[string, readonly Metadata[]]> {
    return this.#byMetric.entries();
  }

  delete(metric: string): void {
    this.#byMetric.delete(metric);
  }
}

function isSame(a: Metadata, b: Metadata): boolean {
  return a.type === b.type && a.unit === b.unit && a.help === b.help;
}
