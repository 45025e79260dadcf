import { createHash } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import type { Counter, Gauge, Metrics } from '../../platform/metrics.ts';
import { expandConfig } from './expand-config.ts';
import type { Reload } from './reload.ts';
import { WatchedFiles } from './watched-files.ts';

export interface ReloaderOptions {
  /** Prometheus' configuration before its variables are replaced; empty for none. */
  readonly configFile: string;
  /** Where it is put for Prometheus to read; empty when Prometheus reads `configFile` itself. */
  readonly outputFile: string;
  /** Folders whose files are watched, and not changed. */
  readonly ruleDirs: readonly string[];
  /** Contents are compared at least this often; changes of size or time are noticed within a second. */
  readonly watchIntervalMs: number;
  /** Before a reload that failed is tried again; doubled with each failure up to the watch interval. */
  readonly retryIntervalMs: number;
  readonly toleratesUnset: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface ReloaderDeps {
  readonly disk: Disk;
  /** Makes Prometheus read its files again; rejects unless it did and found them good. */
  readonly reload: Reload;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

const LOOK_INTERVAL_MS = 1_000;

/**
 * Keeps Prometheus on its newest configuration, as the reloader of Thanos' sidecar: expands the file and puts it where
 * Prometheus reads it, and reloads whenever the contents of it or of rule files are not those of the last good reload.
 */
export class Reloader {
  readonly name = 'reloader';
  readonly #options: ReloaderOptions;
  readonly #deps: ReloaderDeps;
  readonly #files: WatchedFiles;
  readonly #meters: ReloaderMeters;
  readonly #stopping = new AbortController();
  #cancel: () => void = () => {};
  #round: Promise<void> = Promise.resolve();
  #signature: string | undefined;
  /** Of the contents that Prometheus took. */
  #reloadedHash: string | undefined;
  #failures = 0;
  #dueMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReloaderOptions, deps: ReloaderDeps) {
    this.#options = options;
    this.#deps = deps;
    const { configFile, ruleDirs } = options;
    this.#files = new WatchedFiles(deps.disk, configFile === '' ? [] : [configFile], ruleDirs);
    this.#meters = reloaderMeters(deps.metrics);
  }

  /** Writes the output once before it resolves, since Prometheus may wait for it; the first reload is not waited for. */
  async start(): Promise<void> {
    if (this.#files.isEmpty) return;
    await this.#writeOutput().catch((error: Error) => this.#failed('be written', error));
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the reloader is stopping'));
    this.#cancel();
    await this.#round;
  }

  #schedule(delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#cancel = this.#deps.clock.after(delayMs, () => {
      this.#round = this.look().finally(() => this.#schedule(LOOK_INTERVAL_MS));
    });
  }

  /** One look at the files, and what has to be done about it. Never rejects. */
  async look(): Promise<void> {
    try {
      const signature = await this.#files.signature();
      const isChanged = signature !== this.#signature;
      if (!isChanged && this.#deps.clock.monotonic() < this.#dueMs) return;
      this.#signature = signature;
      if (isChanged) this.#failures = 0;
      await this.#apply();
    } catch (error) {
      this.#failed('be looked at', error as Error);
    }
  }

  async #apply(): Promise<void> {
    const { watchIntervalMs } = this.#options;
    let hash: string;
    try {
      hash = await this.#writeOutput();
    } catch (error) {
      return this.#failed('be applied', error as Error);
    }
    if (hash !== this.#reloadedHash && !(await this.#reload(hash))) return;
    this.#failures = 0;
    this.#dueMs = this.#deps.clock.monotonic() + watchIntervalMs;
  }

  async #reload(hash: string): Promise<boolean> {
    const { reload, clock, log } = this.#deps;
    const { reloads, reloadFailures, lastOk, lastOkSeconds } = this.#meters;
    reloads.inc();
    try {
      await reload(this.#stopping.signal);
    } catch (error) {
      reloadFailures.inc();
      lastOk.set(0);
      if (!this.#stopping.signal.aborted) this.#failed('be reloaded', error as Error);
      return false;
    }
    this.#reloadedHash = hash;
    lastOk.set(1);
    lastOkSeconds.set(clock.now() / 1000);
    log.info('Prometheus reloaded its configuration', { ...this.#named() });
    return true;
  }

  /** Hash of all contents, after the expanded configuration lies where it belongs. */
  async #writeOutput(): Promise<string> {
    const { configFile, outputFile, environment, toleratesUnset } = this.#options;
    const { disk } = this.#deps;
    const { applies, applyFailures, unset } = this.#meters;
    applies.inc();
    try {
      const hash = createHash('sha256');
      await this.#files.addTo(hash);
      if (configFile !== '' && outputFile !== '') {
        const expanded = expandConfig(configFile, await disk.readFile(configFile), {
          environment,
          toleratesUnset,
        });
        unset.set(expanded.unset.length);
        hash.update(expanded.data);
        await this.#put(outputFile, expanded.data);
      }
      return hash.digest('hex');
    } catch (error) {
      applyFailures.inc();
      throw error;
    }
  }

  /** As a whole or not at all; a file that is right already is left alone. */
  async #put(path: string, data: Uint8Array): Promise<void> {
    const { disk } = this.#deps;
    const present = (await disk.stat(path)) ? Buffer.from(await disk.readFile(path)) : undefined;
    if (!present?.equals(data)) await disk.writeFileAtomic(path, data);
  }

  #failed(what: string, error: Error): void {
    const { retryIntervalMs, watchIntervalMs } = this.#options;
    const delayMs = Math.min(watchIntervalMs, retryIntervalMs * 2 ** Math.min(this.#failures++, 30));
    this.#dueMs = this.#deps.clock.monotonic() + delayMs;
    this.#deps.log.error(`Prometheus’ configuration could not ${what}`, {
      ...this.#named(),
      error: error.message,
      retryInMs: delayMs,
    });
  }

  #named() {
    const { configFile, ruleDirs } = this.#options;
    return {
      ...(configFile !== '' && { configFile }),
      ...(ruleDirs.length > 0 && { ruleDirs: ruleDirs.join() }),
    };
  }
}

interface ReloaderMeters {
  readonly reloads: Counter;
  readonly reloadFailures: Counter;
  readonly lastOk: Gauge;
  readonly lastOkSeconds: Gauge;
  readonly applies: Counter;
  readonly applyFailures: Counter;
  readonly unset: Gauge;
}

/** Under the names that Thanos' reloader has. */
function reloaderMeters(metrics: Metrics): ReloaderMeters {
  return {
    reloads: metrics.counter('reloader_reloads_total', 'Reloads that were tried.'),
    reloadFailures: metrics.counter('reloader_reloads_failed_total', 'Reloads that failed.'),
    lastOk: metrics.gauge('reloader_last_reload_successful', 'Whether the last reload was good.'),
    lastOkSeconds: metrics.gauge(
      'reloader_last_reload_success_timestamp_seconds',
      'When the last good reload was.',
    ),
    applies: metrics.counter(
      'reloader_config_apply_operations_total',
      'Times that files were read and compared.',
    ),
    applyFailures: metrics.counter(
      'reloader_config_apply_operations_failed_total',
      'Times that files could not be read, expanded or written.',
    ),
    unset: metrics.gauge(
      'reloader_config_environment_variable_expansion_errors',
      'Variables that the configuration refers to and the environment does not have.',
    ),
  };
}
