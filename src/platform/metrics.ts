import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { CountFamily, SharedCounts } from './shared-counts.ts';

export type { Counter, Gauge, Histogram } from 'prom-client';

/** Verona's own metrics. One instance per process, handed to whoever counts. Names start with `verona_`, but for what is known by another name already. */
export class Metrics {
  readonly registry = new Registry();

  /** Adds what every Prometheus client says of its process: CPU, memory, file descriptors, and the runtime's own. */
  describeProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return (
      this.#existing<Counter<L>>(name) ?? new Counter({ name, help, labelNames, registers: [this.registry] })
    );
  }

  gauge<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return (
      this.#existing<Gauge<L>>(name) ?? new Gauge({ name, help, labelNames, registers: [this.registry] })
    );
  }

  /** `buckets` are upper bounds, ascending, in the unit of the name (seconds, bytes). */
  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly L[] = [],
  ): Histogram<L> {
    return (
      this.#existing<Histogram<L>>(name) ??
      new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [this.registry] })
    );
  }

  /** Shows what threads count together, each time as it stands then. Of histograms only what was observed. */
  show(counts: SharedCounts): void {
    for (const family of counts.families) {
      const { name, help, bounds } = family;
      const type = bounds ? 'histogram' : 'counter';
      const values = () => (bounds ? bucketValues(counts, family, bounds) : countValues(counts, family));
      const shown = { name, get: async () => ({ name, help, type, values: values() }) };
      this.registry.registerMetric(shown as unknown as Counter);
    }
  }

  #existing<T>(name: string): T | undefined {
    return this.registry.getSingleMetric(name) as T | undefined;
  }
}

/** One line of the page, in the form in which the registry takes it. */
interface ShownValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

function countValues(counts: SharedCounts, family: CountFamily): ShownValue[] {
  return family.values.map((value) => ({
    value: counts.count(family, value),
    labels: { [family.label]: value },
  }));
}

function bucketValues(counts: SharedCounts, family: CountFamily, bounds: readonly number[]): ShownValue[] {
  return family.values.flatMap((value) => {
    const { buckets, sum } = counts.histogram(family, value);
    const labels = { [family.label]: value };
    let count = 0;
    const lines: ShownValue[] = buckets.map((bucket, i) => {
      count += bucket;
      return {
        value: count,
        labels: { le: bounds[i] ?? '+Inf', ...labels },
        metricName: `${family.name}_bucket`,
      };
    });
    lines.push({ value: sum, labels, metricName: `${family.name}_sum` });
    lines.push({ value: count, labels, metricName: `${family.name}_count` });
    return count === 0 ? [] : lines;
  });
}
