import { VeronaError } from '../../model/errors.ts';
import { type Clock, sleep } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { SeriesTarget, SeriesWriter } from '../../storage/series-writer.ts';
import { Freezing, readKnownValues, storeFrozen } from './frozen-scrape.ts';
import { KnownLines } from './known-lines.ts';
import { type ReadOptions, type ReadScrape, readScrape } from './read-scrape.ts';
import { ReportSeries, type ScrapeReport } from './report-series.ts';
import type { SampleLabels } from './sample-labels.ts';
import { countAdded, type ScrapeBatch, StoredCounts, storeBatch } from './scrape-batch.ts';
import type { ScrapeMetrics } from './scrape-metrics.ts';
import { BodySizeError, type Scraped, type ScrapedBody, type ScrapeRequests } from './scrape-request.ts';
import type { Slots } from './slots.ts';
import type { ScrapeTarget } from './target.ts';

/** How far a scrape may be from its time and still get that time, as Prometheus: timestamps in step compress better. */
const TOLERANCE_MS = 2;

export interface LoopSettings extends ReadOptions {
  readonly tracksTimestamps: boolean;
  readonly reportsExtra: boolean;
  /** Times at which series began mean something to the storage. */
  readonly startTimes: boolean;
  readonly offsetSeed: bigint;
}

export interface LoopDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ScrapeMetrics;
  readonly writer: SeriesWriter;
  /** Shared by all loops: each uses it within one turn of the event loop. */
  readonly batch: ScrapeBatch;
  /** Places for scrapes under way. */
  readonly slots: Slots;
}

/** Scrapes one target at its times, until it is stopped. */
export class ScrapeLoop {
  readonly target: ScrapeTarget;
  readonly #requests: ScrapeRequests;
  readonly #settings: LoopSettings;
  readonly #deps: LoopDeps;
  readonly #labels: SampleLabels;
  readonly #known = new KnownLines();
  readonly #freezing = new Freezing();
  readonly #report: ReportSeries;
  readonly #stop = new AbortController();
  #ended: Promise<void> = Promise.resolve();
  #hasScraped = false;
  /** Why every scrape fails for now. */
  forcedError: string | undefined;

  constructor(
    target: ScrapeTarget,
    requests: ScrapeRequests,
    labels: SampleLabels,
    settings: LoopSettings,
    deps: LoopDeps,
  ) {
    this.target = target;
    this.#requests = requests;
    this.#labels = labels;
    this.#settings = settings;
    this.#deps = deps;
    this.#report = new ReportSeries(labels, settings.reportsExtra);
    target.families = () => this.#known.families.values();
  }

  start(): void {
    this.#ended = this.#run().catch((error: unknown) => {
      if (!this.#stop.signal.aborted)
        this.#deps.log.error('a scrape loop ended', { target: this.target.url, error: String(error) });
    });
  }

  /** Ends the loop; a scrape under way is given up. The series stay as they are: the next start goes on with them. */
  async stop(): Promise<void> {
    this.#stop.abort(new VeronaError('canceled', 'scraping is stopping'));
    await this.#ended;
  }

  /**
   * Ends the loop of a target that is gone. Its series become stale at the time of its next scrape, which is written when
   * two more would have been: had it come back by then under another loop, newer samples would win. Resolves then, or
   * when `signal` aborts, and nothing is marked.
   */
  async retire(signal: AbortSignal): Promise<void> {
    await this.stop();
    if (!this.#hasScraped) return;
    const { clock } = this.#deps;
    const { intervalMs } = this.target;
    await sleep(clock, intervalMs, signal);
    const t = clock.now();
    await sleep(clock, intervalMs + intervalMs / 10, signal);
    await this.#write((target, counts) => {
      this.#endSeries(target, t, counts);
      this.#report.storeStale(target, t, counts);
    });
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    const { intervalMs } = this.target;
    const { signal } = this.#stop;
    await sleep(clock, this.target.offset(clock.now(), this.#settings.offsetSeed), signal);
    let aligned = clock.now();
    let next = clock.monotonic();
    for (;;) {
      const now = clock.now();
      const tolerance = Math.min(intervalMs / 100, TOLERANCE_MS);
      while (now - aligned >= intervalMs - tolerance) aligned += intervalMs;
      await this.scrapeOnce(Math.abs(now - aligned) <= tolerance ? aligned : now);
      signal.throwIfAborted();
      next += intervalMs;
      const wait = next - clock.monotonic();
      // As Go's ticker: one missed scrape is made up for at once, more are not.
      if (wait > 0) await sleep(clock, wait, signal);
      else while (next + intervalMs < clock.monotonic()) next += intervalMs;
    }
  }

  /** One scrape, with `t` (ms) as the time of its samples. Resolves when they are stored. */
  async scrapeOnce(t: number): Promise<void> {
    const { clock, metrics, log } = this.#deps;
    const startedAt = clock.monotonic();
    const release = await this.#deps.slots.take(this.#stop.signal);
    let scraped: Scraped | Error;
    try {
      scraped = await this.#fetch();
    } finally {
      release();
    }
    if (this.#stop.signal.aborted) return;
    try {
      await this.#write((target, counts) => this.#store(target, counts, scraped, t, startedAt));
    } catch (error) {
      this.#noteScrape(error as Error, t, startedAt);
      log.error('a scrape was not stored', { target: this.target.url, error: String(error) });
    }
    metrics.noteScrape(clock.monotonic() - startedAt);
  }

  async #fetch(): Promise<Scraped | Error> {
    if (this.forcedError !== undefined) return new VeronaError('limit', this.forcedError);
    const { clock } = this.#deps;
    const { url, timeoutMs } = this.target;
    const controller = new AbortController();
    const { signal } = this.#stop;
    const abort = () => controller.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    let timedOut: VeronaError | undefined;
    const cancel = clock.after(timeoutMs, () => {
      const limit = `${timeoutMs / 1000}s (scrape_timeout)`;
      timedOut = new VeronaError('timeout', `no complete answer within ${limit}`);
      controller.abort(timedOut);
    });
    try {
      return await this.#requests.scrape(url, timeoutMs, controller.signal);
    } catch (error) {
      return timedOut ?? (error as Error);
    } finally {
      cancel();
      signal.removeEventListener('abort', abort);
    }
  }

  async #write(apply: (target: SeriesTarget, counts: StoredCounts) => void): Promise<StoredCounts> {
    const counts = await this.#deps.writer.write((target) => {
      const made = new StoredCounts();
      this.#known.verify(target);
      this.#report.verify(target);
      apply(target, made);
      return made;
    });
    this.#deps.metrics.noteRefused(counts);
    return counts;
  }

  /** Everything that a scrape leaves in the storage, in one turn. */
  #store(
    target: SeriesTarget,
    counts: StoredCounts,
    scraped: Scraped | Error,
    t: number,
    startedAt: number,
  ): void {
    const body = scraped instanceof Error ? scraped : this.#open(scraped);
    const read =
      body instanceof Error ? undefined : this.#storeBody(target, counts, body, scraped as Scraped, t);
    if (read === undefined) this.#endSeries(target, t, counts);
    const problem = body instanceof Error ? body : read?.problem;
    const durationMs = this.#noteScrape(problem, t, startedAt);
    this.#report.store(target, t, this.#reportOf(body, read, problem, counts, durationMs), counts);
    this.#hasScraped = true;
  }

  #open(scraped: Scraped): ScrapedBody | Error {
    const { frozen } = this.#known;
    try {
      return this.#requests.open(scraped, frozen?.contentType === scraped.contentType ? frozen : undefined);
    } catch (error) {
      if (error instanceof VeronaError) return error;
      throw error;
    }
  }

  /** What was read; undefined of an empty body. */
  #storeBody(
    target: SeriesTarget,
    counts: StoredCounts,
    body: ScrapedBody,
    { contentType }: Scraped,
    t: number,
  ): Omit<ReadScrape, 'repeated'> | undefined {
    if (body.bytes.length === 0) return undefined;
    const values = readKnownValues(body);
    const { frozen } = this.#known;
    if (values !== undefined && frozen !== undefined) {
      const refused = storeFrozen(frozen, values, target, t, counts);
      if (refused.length > 0) this.#endFrozen(target, t, counts, refused);
      const added = frozen.keptCount;
      return { total: values.length, added, duplicates: 0, problem: undefined, isRepetition: true };
    }
    this.#known.thaw();
    const read = this.#storeRead(target, counts, body.bytes, contentType, t);
    this.#freezing.note(read, this.#deps.batch, counts, () =>
      this.#known.freeze(body.bytes, contentType, read.repeated),
    );
    return read;
  }

  /** Reads a body line by line and stores what it has. */
  #storeRead(
    target: SeriesTarget,
    counts: StoredCounts,
    bytes: Uint8Array,
    contentType: string,
    t: number,
  ): ReadScrape {
    const { batch, metrics } = this.#deps;
    batch.clear();
    const read = this.#read(bytes, contentType);
    if (read.problem === undefined) {
      storeBatch(batch, this.#known, target, t, this.#settings.tracksTimestamps, counts);
      this.#storeMetadata(target);
    } else this.#keepTracked(counts);
    if (read.duplicates > 0) metrics.duplicates.inc(read.duplicates);
    this.#markMissing(target, t, counts);
    this.#known.endIteration(read.problem === undefined);
    return read;
  }

  /** Some of the series that are always there were not stored, and become stale. */
  #endFrozen(target: SeriesTarget, t: number, counts: StoredCounts, refused: readonly number[]): void {
    const missing = new Set(refused);
    for (const [i, line] of this.#known.thaw().entries()) {
      this.#known.see(line);
      if (!line.isDropped && !missing.has(i)) this.#known.track(line);
    }
    this.#markMissing(target, t, counts);
    this.#known.endIteration(true);
  }

  #read(bytes: Uint8Array, contentType: string): ReadScrape {
    const { target } = this;
    const histograms = {
      native: target.flag('native'),
      keepClassic: target.flag('keepClassic'),
      convertClassic: target.flag('convertClassic'),
      startTimes: this.#settings.startTimes,
    };
    const { batch } = this.#deps;
    return readScrape(bytes, contentType, histograms, this.#settings, this.#known, this.#labels, batch);
  }

  /** As Prometheus: what came before the fault of a scrape that fails does not become stale by it, but by the next one. */
  #keepTracked(counts: StoredCounts): void {
    const { batch } = this.#deps;
    for (let i = 0; i < batch.count; i++) {
      const line = batch.lines[i];
      countAdded(line, counts);
      const isTracked = Number.isNaN(batch.times[i]) || this.#settings.tracksTimestamps;
      if (line.slot !== 0 && isTracked) this.#known.track(line);
    }
  }

  #markMissing(target: SeriesTarget, t: number, counts: StoredCounts): void {
    for (const line of this.#known.stale()) if (target.appendStale(line.slot, t)) counts.samples++;
  }

  #endSeries(target: SeriesTarget, t: number, counts: StoredCounts): void {
    this.#known.thaw();
    this.#markMissing(target, t, counts);
    this.#known.endIteration(false);
  }

  #storeMetadata(target: SeriesTarget): void {
    for (const family of this.#known.families.values()) {
      const slot = family.line?.slot ?? 0;
      if (family.isStored || slot === 0) continue;
      target.setMetadata(slot, family.metadata, family.family);
      family.isStored = true;
    }
  }

  #noteScrape(problem: Error | undefined, t: number, startedAt: number): number {
    const { clock, metrics, log } = this.#deps;
    const { target } = this;
    const durationMs = clock.monotonic() - startedAt;
    const lastError = problem === undefined ? '' : describeError(problem);
    if (lastError !== '' && target.health !== 'down')
      log.warn('a target is down', { target: target.url, error: lastError });
    target.health = problem === undefined ? 'up' : 'down';
    target.lastError = lastError;
    target.lastScrape = t;
    target.lastDurationMs = durationMs;
    if (problem !== undefined) metrics.failures.inc();
    return durationMs;
  }

  #reportOf(
    body: ScrapedBody | Error,
    read: Pick<ReadScrape, 'total' | 'added'> | undefined,
    problem: Error | undefined,
    counts: StoredCounts,
    durationMs: number,
  ): ScrapeReport {
    const { timeoutMs } = this.target;
    const failedBytes = body instanceof BodySizeError ? -1 : 0;
    const bodyBytes = body instanceof Error ? failedBytes : body.bytes.length;
    return {
      up: problem === undefined ? 1 : 0,
      durationSeconds: durationMs / 1000,
      samplesScraped: read?.total ?? 0,
      samplesKept: read?.added ?? 0,
      seriesAdded: counts.seriesAdded,
      timeoutSeconds: timeoutMs / 1000,
      sampleLimit: this.#settings.sampleLimit,
      bodyBytes,
    };
  }
}

/** Node tells of failed connections in a code or in several errors. */
function describeError(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  const inner =
    error instanceof AggregateError ? error.errors.map((one: Error) => one.message).join('; ') : '';
  return error.message || inner || code || String(error);
}
