import type { ScrapeJob } from '../../config/scrape/job.ts';
import type { Labels } from '../../model/labels.ts';
import { Relabeler } from '../../model/relabel.ts';
import { ConfiguredClient, type ConfiguredClientDeps } from './credentials.ts';
import type { TargetGroup } from './discovery/target-group.ts';
import { schemaOfFactor } from './read-scrape.ts';
import { type SampleLabelOptions, SampleLabels } from './sample-labels.ts';
import { type LoopDeps, type LoopSettings, ScrapeLoop } from './scrape-loop.ts';
import { mediaTypeOf, ScrapeRequests } from './scrape-request.ts';
import { discoveredLabels, makeTarget, type ScrapeTarget } from './target.ts';

/** Dropped targets that are remembered at most, for people to look at. */
const DROPPED_KEPT_MAX = 10_000;

export interface PoolDeps extends LoopDeps, Omit<ConfiguredClientDeps, 'clock'> {
  readonly userAgent: string;
  readonly offsetSeed: bigint;
  /** Whether the storage keeps times at which series began. */
  readonly startTimes: boolean;
  readonly externalLabels: Labels;
  /** Whether one more target may be scraped in this process; taken when true. */
  takeTarget(): boolean;
  returnTarget(): void;
}

/** The targets of one job, each with its loop. */
export class ScrapePool {
  readonly job: ScrapeJob;
  readonly #deps: PoolDeps;
  readonly #relabeler: Relabeler;
  readonly #client: ConfiguredClient;
  readonly #requests: ScrapeRequests;
  readonly #labelOptions: SampleLabelOptions;
  readonly #loopSettings: LoopSettings;
  readonly #loops = new Map<string, ScrapeLoop>();
  readonly #retiring = new Set<Promise<void>>();
  readonly #shutdown = new AbortController();
  #dropped: Labels[] = [];
  droppedCount = 0;

  constructor(job: ScrapeJob, deps: PoolDeps) {
    this.job = job;
    this.#deps = deps;
    this.#relabeler = new Relabeler(job.relabel_configs, job.metric_name_validation_scheme);
    this.#client = new ConfiguredClient(job, deps);
    this.#requests = new ScrapeRequests(job, this.#client, deps.userAgent);
    this.#labelOptions = {
      honorLabels: job.honor_labels,
      metricRelabeler: new Relabeler(job.metric_relabel_configs, job.metric_name_validation_scheme),
      nameScheme: job.metric_name_validation_scheme,
      externalLabels: deps.externalLabels,
      labelLimit: job.label_limit,
      labelNameLengthLimit: job.label_name_length_limit,
      labelValueLengthLimit: job.label_value_length_limit,
    };
    this.#loopSettings = {
      honorTimestamps: job.honor_timestamps,
      tracksTimestamps: job.track_timestamps_staleness,
      reportsExtra: job.extra_scrape_metrics,
      startTimes: deps.startTimes,
      offsetSeed: deps.offsetSeed,
      sampleLimit: job.sample_limit,
      bucketLimit: job.native_histogram_bucket_limit,
      schemaMax: schemaOfFactor(job.native_histogram_min_bucket_factor),
      fallback: job.fallback_scrape_protocol && mediaTypeOf(job.fallback_scrape_protocol),
    };
  }

  /** Targets that are scraped, ordered by URL. */
  get targets(): ScrapeTarget[] {
    return [...this.#loops.values()]
      .map(({ target }) => target)
      .sort((a, b) => (a.url < b.url ? -1 : a.url > b.url ? 1 : 0));
  }

  /** Discovered labels of targets that relabelling dropped. */
  get dropped(): readonly Labels[] {
    return this.#dropped;
  }

  /** Scrapes the targets of these groups from now on: loops of those that were there go on. */
  sync(groups: readonly TargetGroup[]): void {
    const wanted = this.#makeTargets(groups);
    for (const [key, loop] of this.#loops)
      if (!wanted.has(key)) {
        this.#loops.delete(key);
        this.#deps.returnTarget();
        this.#retire(loop);
      }
    let refused = 0;
    for (const [key, target] of wanted) {
      const loop = this.#loops.get(key);
      if (loop !== undefined) loop.target.discovered = target.discovered;
      else if (this.#deps.takeTarget()) this.#begin(target);
      else refused++;
    }
    if (refused > 0)
      this.#deps.log.error('targets are not scraped: there are too many (scrape.max_targets)', {
        job: this.job.job_name,
        refused,
      });
    this.#applyTargetLimit();
    this.#deps.metrics.targets.set({ scrape_job: this.job.job_name }, this.#loops.size);
  }

  /** The job is no more, or another: its series become stale unless other loops go on with them. */
  retire(): void {
    this.sync([]);
    this.#deps.metrics.targets.remove({ scrape_job: this.job.job_name });
    this.#client.close();
  }

  /** The process stops: nothing becomes stale. */
  async stop(): Promise<void> {
    this.#shutdown.abort();
    await Promise.all([...this.#loops.values()].map((loop) => loop.stop()));
    await Promise.all(this.#retiring);
    this.#client.close();
  }

  /** Resolves when the loops that were retired have marked their series. */
  async drained(): Promise<void> {
    await Promise.all(this.#retiring);
  }

  #begin(target: ScrapeTarget): void {
    const labels = new SampleLabels(target.labels, this.#labelOptions);
    const loop = new ScrapeLoop(target, this.#requests, labels, this.#loopSettings, this.#deps);
    this.#loops.set(target.key, loop);
    loop.start();
  }

  #retire(loop: ScrapeLoop): void {
    const done = loop
      .retire(this.#shutdown.signal)
      .catch((error: unknown) => {
        if (!this.#shutdown.signal.aborted)
          this.#deps.log.warn('series of a target that is gone were not marked stale', {
            target: loop.target.url,
            error: String(error),
          });
      })
      .finally(() => this.#retiring.delete(done));
    this.#retiring.add(done);
  }

  #makeTargets(groups: readonly TargetGroup[]): Map<string, ScrapeTarget> {
    const targets = new Map<string, ScrapeTarget>();
    this.#dropped = [];
    this.droppedCount = 0;
    for (const group of groups)
      for (const [i, own] of group.targets.entries()) {
        const target = this.#makeTarget(group, own, i);
        if (target !== undefined) targets.set(target.key, target);
      }
    return targets;
  }

  #makeTarget(group: TargetGroup, own: Labels, index: number): ScrapeTarget | undefined {
    const discovered = discoveredLabels(this.job, own, group.labels);
    try {
      const target = makeTarget(this.job, discovered, this.#relabeler);
      if (target === undefined) this.#noteDropped(discovered);
      return target;
    } catch (error) {
      this.#deps.log.error('a target is none', {
        job: this.job.job_name,
        source: group.source,
        number: index,
        error: (error as Error).message,
      });
      return undefined;
    }
  }

  #noteDropped(discovered: Labels): void {
    this.droppedCount++;
    const max = Math.min(this.job.keep_dropped_targets || DROPPED_KEPT_MAX, DROPPED_KEPT_MAX);
    if (this.#dropped.length < max) this.#dropped.push(discovered);
  }

  /** All fail when there are too many: so it is noticed. */
  #applyTargetLimit(): void {
    const { target_limit: limit } = this.job;
    const isExceeded = limit > 0 && this.#loops.size > limit;
    if (isExceeded) this.#deps.metrics.poolFailures.inc();
    const error = isExceeded
      ? `target_limit exceeded (number of targets: ${this.#loops.size}, limit: ${limit})`
      : undefined;
    for (const loop of this.#loops.values()) loop.forcedError = error;
  }
}
