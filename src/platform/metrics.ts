import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

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

  #existing<T>(name: string): T | undefined {
    return this.registry.getSingleMetric(name) as T | undefined;
  }
}
