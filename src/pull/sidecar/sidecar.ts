import type { Shipper } from '../../blocks/shipper.ts';
import { Labels } from '../../model/labels.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { Gauge, Metrics } from '../../platform/metrics.ts';
import type { StoreInfo } from '../../storeapi/store-server.ts';
import type { PrometheusClient, PrometheusConfig } from './prometheus-client.ts';
import { type UploadRules, uploadObstacle } from './upload-check.ts';

export interface SidecarOptions {
  readonly checkIntervalMs: number;
  readonly checkTimeoutMs: number;
  readonly shipIntervalMs: number;
  /** Older data are not served, ms. */
  readonly mint: number;
  readonly rules: UploadRules;
}

export interface SidecarDeps {
  readonly client: PrometheusClient;
  /** A shipper under these labels; undefined when there is no bucket. */
  readonly openShipper: ((labels: Labels) => Promise<Shipper>) | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Follows one Prometheus: its labels and flags, whether it answers, and its finished blocks. */
export class Sidecar {
  readonly name = 'sidecar';
  readonly #options: SidecarOptions;
  readonly #deps: SidecarDeps;
  readonly #up: Gauge;
  readonly #stopping = new AbortController();
  readonly #timers = new Set<() => void>();
  #config: PrometheusConfig | undefined;
  #lastError: string | undefined;
  #obstacle: string | undefined;
  #shipper: { readonly labels: Labels; readonly shipper: Shipper } | undefined;

  constructor(options: SidecarOptions, deps: SidecarDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#up = deps.metrics.gauge(
      'verona_sidecar_prometheus_up',
      'Whether Prometheus answered the last check.',
    );
  }

  /** Of the last answer of Prometheus; a sidecar that never had one has none, and serves nothing. */
  get externalLabels(): Labels {
    return this.#config?.externalLabels ?? Labels.empty;
  }

  /** Whether Prometheus answered once: before that nobody knows its labels. */
  get isReady(): boolean {
    return this.#config !== undefined;
  }

  info(): StoreInfo {
    return {
      component: 'sidecar',
      labelSets: this.externalLabels.size > 0 ? [this.externalLabels] : [],
      mint: this.#options.mint,
      maxt: Number.MAX_SAFE_INTEGER,
    };
  }

  async start(): Promise<void> {
    await this.check();
    if (!this.isReady) this.#deps.log.info('waiting for Prometheus', { url: this.#deps.client.url });
    this.#repeat(this.#options.checkIntervalMs, () => this.check());
    if (this.#deps.openShipper) this.#repeat(this.#options.shipIntervalMs, () => this.ship());
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the sidecar is stopping'));
    for (const cancel of this.#timers) cancel();
  }

  /** Asks Prometheus for its labels and flags, which a reload may have changed. Never rejects. */
  async check(): Promise<void> {
    const { client, clock, log } = this.#deps;
    const late = new AbortController();
    const stopTimer = clock.after(this.#options.checkTimeoutMs, () =>
      late.abort(new Error(`no answer for ${this.#options.checkTimeoutMs} ms`)),
    );
    try {
      const config = await client.config(late.signal);
      if (!this.#config?.externalLabels.equals(config.externalLabels))
        log.info('Prometheus answers', { url: client.url, externalLabels: config.externalLabels.toString() });
      else if (this.#lastError !== undefined) log.info('Prometheus answers again', { url: client.url });
      this.#config = config;
      this.#lastError = undefined;
      this.#up.set(1);
      this.#judge(config);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (this.#lastError === undefined) log.warn('Prometheus does not answer', { error: text });
      this.#lastError = text;
      this.#up.set(0);
    } finally {
      stopTimer();
    }
  }

  /** Ships finished blocks, when nothing stands against it. Never rejects. */
  async ship(): Promise<void> {
    const { openShipper, log } = this.#deps;
    if (!openShipper || !this.#config || this.#obstacle !== undefined) return;
    const labels = this.externalLabels;
    try {
      if (!this.#shipper?.labels.equals(labels))
        this.#shipper = { labels, shipper: await openShipper(labels) };
      await this.#shipper.shipper.sync({ signal: this.#stopping.signal });
    } catch (error) {
      if (!this.#stopping.signal.aborted)
        log.warn('blocks were not shipped; the next round tries again', { error: (error as Error).message });
    }
  }

  #judge(config: PrometheusConfig): void {
    if (!this.#deps.openShipper) return;
    const obstacle = uploadObstacle(config, this.#options.rules);
    if (obstacle !== undefined && obstacle !== this.#obstacle)
      this.#deps.log.error(`no block is uploaded: ${obstacle}`);
    this.#obstacle = obstacle;
  }

  /** One round after the other, `intervalMs` between them. */
  #repeat(intervalMs: number, round: () => Promise<void>): void {
    if (this.#stopping.signal.aborted) return;
    const cancel = this.#deps.clock.after(intervalMs, () => {
      this.#timers.delete(cancel);
      round().then(() => this.#repeat(intervalMs, round));
    });
    this.#timers.add(cancel);
  }
}
