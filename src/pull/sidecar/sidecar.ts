import type { Shipper } from '../../blocks/shipper.ts';
import { messageOf } from '../../model/errors.ts';
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
  /** Older data are not served, ms; moves with the time when it was given as an age. */
  readonly mint: () => number;
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
  readonly #refused: Gauge;
  readonly #stopping = new AbortController();
  readonly #timers = new Set<() => void>();
  #config: PrometheusConfig | undefined;
  /** Of Prometheus' oldest sample, ms, as of the last check; undefined when it did not tell. */
  #oldestMs: number | undefined;
  /** Names of labels that series have without the external ones; undefined when it did not tell. */
  #ownNames: ReadonlySet<string> | undefined;
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
    this.#refused = deps.metrics.gauge(
      'verona_sidecar_upload_refused',
      'Whether blocks are not uploaded because of what Prometheus says of itself; the log says why.',
    );
  }

  /** Of the last answer of Prometheus; a sidecar that never had one has none, and serves nothing. */
  get externalLabels(): Labels {
    return this.#config?.externalLabels ?? Labels.empty;
  }

  /** The external labels while no series has others of their names, as of the last check. */
  get plainLabels(): Labels | undefined {
    const labels = this.externalLabels;
    const names = this.#ownNames;
    if (names === undefined || labels.size === 0) return undefined;
    return [...labels].some(([name]) => names.has(name)) ? undefined : labels;
  }

  /** Whether Prometheus answered once: before that nobody knows its labels. */
  get isReady(): boolean {
    return this.#config !== undefined;
  }

  info(): StoreInfo {
    return {
      component: 'sidecar',
      labelSets: this.externalLabels.size > 0 ? [this.externalLabels] : [],
      mint: this.#mint(),
      maxt: Number.MAX_SAFE_INTEGER,
    };
  }

  /** Queriers do not ask for what is before it, so it is never later than what may still come. */
  #mint(): number {
    const oldest = this.#oldestMs;
    const now = this.#deps.clock.now();
    // A head without samples begins at the end of time.
    if (oldest === undefined || oldest > now) return this.#options.mint();
    const { outOfOrderWindowMs = 0 } = this.#config ?? {};
    const lateMs = now - outOfOrderWindowMs - 2 * this.#options.checkIntervalMs;
    return Math.max(this.#options.mint(), Math.min(oldest, lateMs));
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
      const [config, oldestMs, ownNames] = await Promise.all([
        client.config(late.signal),
        client.oldestTimestamp(late.signal).catch(() => undefined),
        client.labelNames(late.signal).catch(() => undefined),
      ]);
      this.#oldestMs = oldestMs;
      this.#ownNames = ownNames && new Set(ownNames);
      if (!this.#config?.externalLabels.equals(config.externalLabels)) this.#greet(config);
      else if (this.#lastError !== undefined) log.info('Prometheus answers again', { url: client.url });
      this.#config = config;
      this.#lastError = undefined;
      this.#up.set(1);
      this.#judge(config);
    } catch (error) {
      const text = messageOf(error);
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

  #greet({ externalLabels }: PrometheusConfig): void {
    const { client, log } = this.#deps;
    log.info('Prometheus answers', { url: client.url, externalLabels: externalLabels.toString() });
    if (externalLabels.size === 0)
      log.warn(
        'Prometheus has no external labels: a querier cannot tell its series from those of other servers; set global.external_labels',
      );
  }

  #judge(config: PrometheusConfig): void {
    if (!this.#deps.openShipper) return;
    const obstacle = uploadObstacle(config, this.#options.rules);
    if (obstacle !== undefined && obstacle !== this.#obstacle)
      this.#deps.log.error(`no block is uploaded: ${obstacle}`);
    this.#obstacle = obstacle;
    this.#refused.set(obstacle === undefined ? 0 : 1);
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
