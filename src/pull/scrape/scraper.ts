import type { DiscoveryConfig } from '../../config/scrape/discovery.ts';
import type { ScrapeJob } from '../../config/scrape/job.ts';
import type { ScrapeFile } from '../../config/scrape/scrape-file.ts';
import { xxhash64 } from '../../encoding/xxhash64.ts';
import type { Discovery, TargetGroup } from './discovery/target-group.ts';
import { ScrapeBatch } from './scrape-batch.ts';
import { type PoolDeps, ScrapePool } from './scrape-pool.ts';
import { Slots } from './slots.ts';

export interface ScraperOptions {
  /** Scrapes under way at once; further ones wait. */
  readonly concurrencyMax: number;
  readonly targetsMax: number;
  /** Sets the times of this instance apart from those of others with the same targets. */
  readonly instance: string;
}

export interface ScraperDeps
  extends Omit<
    PoolDeps,
    'batch' | 'slots' | 'externalLabels' | 'offsetSeed' | 'takeTarget' | 'returnTarget'
  > {
  /** Reads the configuration anew. Rejects with `bad_data` and every problem when it is not good. */
  readFile(): Promise<ScrapeFile>;
  /** What finds the targets of a job. */
  discover(config: DiscoveryConfig, jobName: string): readonly Discovery[];
}

/** A job that is scraped. */
interface RunningJob {
  readonly pool: ScrapePool;
  /** Of all settings that its loops depend on, and of those that say where targets are. */
  readonly settingsKey: string;
  discoveryKey: string;
  discoveries: readonly Discovery[];
}

/** Scrapes what Prometheus' configuration file says. */
export class Scraper {
  readonly name = 'scraping';
  readonly #options: ScraperOptions;
  readonly #deps: ScraperDeps;
  readonly #jobs = new Map<string, RunningJob>();
  /** Pools of jobs that are gone, until their series are marked. */
  readonly #retired = new Set<ScrapePool>();
  readonly #batch = new ScrapeBatch();
  readonly #slots: Slots;
  #targetCount = 0;
  #applying: Promise<boolean> = Promise.resolve(true);

  constructor(options: ScraperOptions, deps: ScraperDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#slots = new Slots(options.concurrencyMax);
  }

  /** By name of the job. */
  get pools(): readonly ScrapePool[] {
    return [...this.#jobs.values()]
      .map(({ pool }) => pool)
      .sort((a, b) => (a.job.job_name < b.job.job_name ? -1 : 1));
  }

  /** Rejects when the configuration is not good. */
  async start(): Promise<void> {
    await this.#apply();
  }

  /**
   * Applies the configuration as it is now; what did not change goes on. Resolves with whether it is in force: else the
   * old one stays, and the log says why.
   */
  reload(): Promise<boolean> {
    this.#applying = this.#applying
      .then(async () => {
        await this.#apply();
        return true;
      })
      .catch((error: unknown) => {
        this.#deps.metrics.reloadsFailed.inc();
        this.#deps.log.error('the scrape configuration was not read again; the old one stays', {
          error: (error as Error).message,
        });
        return false;
      });
    return this.#applying;
  }

  async stop(): Promise<void> {
    await this.#applying;
    for (const { discoveries } of this.#jobs.values()) for (const one of discoveries) one.stop();
    const pools = [...this.pools, ...this.#retired];
    await Promise.all(pools.map((pool) => pool.stop()));
  }

  async #apply(): Promise<void> {
    const file = await this.#deps.readFile();
    const names = new Set(file.jobs.map((job) => job.job_name));
    for (const [name, running] of this.#jobs) if (!names.has(name)) this.#end(name, running);
    for (const job of file.jobs) this.#applyJob(job, file);
    if (file.notUsed.length > 0)
      this.#deps.log.info('parts of the scrape configuration are not used: they are not about scraping', {
        parts: file.notUsed.join(', '),
      });
    this.#deps.log.info('the scrape configuration is in force', { jobs: file.jobs.length });
  }

  #applyJob(job: ScrapeJob, file: ScrapeFile): void {
    const { discovery, settings } = split(job);
    const settingsKey = keyOf({ settings, external: file.externalLabels });
    const discoveryKey = keyOf(discovery);
    let running = this.#jobs.get(job.job_name);
    if (running !== undefined && running.settingsKey !== settingsKey) {
      this.#end(job.job_name, running);
      running = undefined;
    }
    if (running === undefined) {
      const pool = new ScrapePool(job, this.#poolDeps(file));
      running = { pool, settingsKey, discoveryKey: '', discoveries: [] };
      this.#jobs.set(job.job_name, running);
    }
    if (running.discoveryKey === discoveryKey) return;
    running.discoveryKey = discoveryKey;
    this.#discover(running, discovery);
  }

  /** Targets of before stay until all of the new discoveries have found something. */
  #discover(running: RunningJob, config: DiscoveryConfig): void {
    for (const one of running.discoveries) one.stop();
    const discoveries = this.#deps.discover(config, running.pool.job.job_name);
    const found: (readonly TargetGroup[] | undefined)[] = discoveries.map(() => undefined);
    const wasEmpty = running.discoveries.length === 0;
    running.discoveries = discoveries;
    if (discoveries.length === 0) running.pool.sync([]);
    for (const [i, one] of discoveries.entries())
      one.start((groups) => {
        if (running.discoveries !== discoveries) return;
        found[i] = groups;
        if (!wasEmpty && found.includes(undefined)) return;
        running.pool.sync(found.flatMap((known) => known ?? []));
      });
  }

  #end(name: string, { pool, discoveries }: RunningJob): void {
    for (const one of discoveries) one.stop();
    this.#jobs.delete(name);
    pool.retire();
    this.#retired.add(pool);
    void pool.drained().then(() => this.#retired.delete(pool));
  }

  #poolDeps(file: ScrapeFile): PoolDeps {
    return {
      ...this.#deps,
      batch: this.#batch,
      slots: this.#slots,
      externalLabels: file.externalLabels,
      offsetSeed: xxhash64(Buffer.from(`${this.#options.instance}${file.externalLabels}`, 'utf8')),
      takeTarget: () => {
        if (this.#targetCount >= this.#options.targetsMax) return false;
        this.#targetCount++;
        return true;
      },
      returnTarget: () => {
        this.#targetCount--;
      },
    };
  }
}

function split(job: ScrapeJob): { discovery: DiscoveryConfig; settings: unknown } {
  const {
    static_configs,
    file_sd_configs,
    http_sd_configs,
    dns_sd_configs,
    kubernetes_sd_configs,
    ...settings
  } = job;
  const discovery = {
    static_configs,
    file_sd_configs,
    http_sd_configs,
    dns_sd_configs,
    kubernetes_sd_configs,
  };
  return { discovery, settings };
}

function keyOf(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}n` : one));
}
