import { messageOf } from '../model/errors.ts';
import { Labels } from '../model/labels.ts';
import type { MetricType } from '../model/metadata.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Appender } from '../storage/appender.ts';

/** One metric as prom-client describes it. */
interface Described {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly {
    value: number;
    labels: Readonly<Record<string, string | number>>;
    metricName?: string;
  }[];
}

/** Not `verona`: so people call the job that scrapes this process, and two writers must not share a series. */
const SELF_JOB = 'verona-self';

/** Stores this process's own metrics in a tenant at an interval, as a scrape of `/metrics` would. */
export class SelfMetrics {
  readonly name = 'self-metrics';
  readonly #options: { readonly intervalMs: number; readonly instance: string };
  readonly #appender: () => Promise<Appender>;
  readonly #metrics: Metrics;
  readonly #clock: Clock;
  readonly #log: Logger;
  #cancel: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    options: { readonly intervalMs: number; readonly instance: string },
    appender: () => Promise<Appender>,
    metrics: Metrics,
    clock: Clock,
    log: Logger,
  ) {
    this.#options = options;
    this.#appender = appender;
    this.#metrics = metrics;
    this.#clock = clock;
    this.#log = log;
  }

  async start(): Promise<void> {
    await this.#store();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#cancel?.();
    await this.#writing;
  }

  #schedule(): void {
    this.#cancel = this.#clock.after(this.#options.intervalMs, () => {
      this.#writing = this.#store();
      this.#schedule();
    });
  }

  async #store(): Promise<void> {
    try {
      const appender = await this.#appender();
      const described = (await this.#metrics.registry.getMetricsAsJSON()) as unknown as Described[];
      const t = this.#clock.now();
      appender.append(this.#labels('up', {}), t, 1);
      for (const metric of described) this.#append(appender, metric, t);
      await appender.commit();
    } catch (error) {
      this.#log.warn('own metrics were not stored', {
        error: messageOf(error),
      });
    }
  }

  #append(appender: Appender, metric: Described, t: number): void {
    for (const { value, labels, metricName } of metric.values)
      appender.append(this.#labels(metricName ?? metric.name, labels), t, value);
    const [first] = metric.values;
    if (!first) return;
    // Metadata stands on a series that has samples, so that none is made for it.
    const series = this.#labels(first.metricName ?? metric.name, first.labels);
    appender.setMetadata(series, { type: metric.type as MetricType, help: metric.help, unit: '' });
  }

  #labels(name: string, labels: Readonly<Record<string, string | number>>): Labels {
    const pairs = Object.entries(labels).map(([key, value]) => [key, String(value)] as const);
    return Labels.from([
      ...pairs,
      ['__name__', name],
      ['job', SELF_JOB],
      ['instance', this.#options.instance],
    ]);
  }
}
