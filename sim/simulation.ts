import { Matcher } from '../src/model/matcher.ts';
import { FailingBucket } from '../src/objstore/failing-bucket.ts';
import { MemoryBucket } from '../src/objstore/memory-bucket.ts';
import type { HttpResponse } from '../src/platform/http.ts';
import { MemoryDisk } from '../src/platform/memory-disk.ts';
import { type Random, SeededRandom } from '../src/platform/random.ts';
import type { QueryJob } from '../src/query/jobs.ts';
import { FROM_OUT_OF_ORDER } from '../src/tsdb/compact/late-blocks.ts';
import { SimulatedClock, settle } from './clock.ts';
import { Failure } from './failure.ts';
import { Faults, type LastingFault } from './faults.ts';
import { Life } from './life.ts';
import { TenantModel } from './model.ts';
import { type Plan, planOf } from './plan.ts';
import { BLOCK_RANGE_MS, SimProcess } from './process.ts';
import { findUnrest } from './quiet.ts';
import { Trace } from './trace.ts';
import { parseAnswer, refusedIn, Traffic, type WriteOrder } from './traffic.ts';

/** A multiple of two hours. */
const START_MS = 1_699_992_000_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** A client gives up on an answer after this long. */
const WRITE_PATIENCE_MS = 30_000;
const QUERY_PATIENCE_MS = 300_000;
const START_PATIENCE_MS = 3_600_000;
const RETRIES_MAX = 4;
const STEPS_PER_CHECK = 20;

export interface SimulationResult {
  readonly plan: Plan;
  /** What contradicts the promises; none when all is well. */
  readonly failures: readonly string[];
  readonly step: number;
  /** Tells two runs apart. */
  readonly digest: string;
  readonly lines: readonly string[];
  readonly acknowledged: number;
  readonly lives: number;
  readonly completeAnswers: number;
  readonly partialAnswers: number;
}

/** Runs the system of one seed to its end, or to the first contradiction. */
export async function simulate(seed: number, keepsAllLines = false): Promise<SimulationResult> {
  return new Simulation(seed, keepsAllLines).run();
}

class Simulation {
  readonly #random: Random;
  readonly #plan: Plan;
  readonly #clock = new SimulatedClock(START_MS);
  readonly #trace: Trace;
  readonly #disk = new MemoryDisk();
  readonly #pace = { slow: 0, delayMsMax: 0 };
  readonly #bucket: FailingBucket;
  readonly #faults: Faults;
  readonly #models = new Map<string, TenantModel>();
  readonly #traffic = new Map<string, Traffic>();
  readonly #retries: { order: WriteOrder; left: number }[] = [];
  /** Samples in order before this are in blocks, by tenant. */
  readonly #durableUntil = new Map<string, number>();
  #process: SimProcess | undefined;
  /** What the next death of a process is. */
  #isPowerFailure = false;
  #lives = 0;
  #step = 0;
  #value = 1000;
  #completeAnswers = 0;
  #partialAnswers = 0;
  #acknowledged = 0;
  /** Until then a listing may have been stale, and what is only in the bucket may be missing. */
  #listsStaleUntil = 0;
  #passing: Promise<void> | undefined;

  constructor(seed: number, keepsAllLines: boolean) {
    this.#random = new SeededRandom(seed);
    this.#plan = planOf(seed, this.#random);
    this.#trace = new Trace(() => this.#clock.now(), keepsAllLines);
    this.#bucket = new FailingBucket(new MemoryBucket(this.#clock), this.#fork(), this.#clock);
    const targets = { disk: this.#disk, pace: this.#pace, bucket: this.#bucket };
    this.#faults = new Faults(targets, this.#fork());
    for (const tenant of this.#plan.tenants) {
      this.#models.set(tenant, new TenantModel());
      this.#traffic.set(tenant, new Traffic(tenant, this.#plan, this.#fork(), () => this.#value++));
    }
  }

  async run(): Promise<SimulationResult> {
    const failures: string[] = [];
    try {
      this.#trace.note(`plan ${JSON.stringify(this.#plan)}`);
      for (; this.#step < this.#plan.steps; this.#step++) await this.#faultyStep();
      await this.#comeToRest();
    } catch (error) {
      if (error instanceof Failure) failures.push(...error.differences);
      else failures.push(`defect: ${(error as Error).stack}`);
    }
    this.#process?.life.end();
    return {
      plan: this.#plan,
      failures,
      step: this.#step,
      digest: this.#trace.digest(),
      lines: this.#trace.lines,
      acknowledged: this.#acknowledged,
      lives: this.#lives,
      completeAnswers: this.#completeAnswers,
      partialAnswers: this.#partialAnswers,
    };
  }

  async #faultyStep(): Promise<void> {
    for (const kind of this.#faults.endDue(this.#step)) this.#trace.note(`fault ends: ${kind}`);
    if (this.#happens(this.#plan.faultChance)) await this.#beginFault();
    await this.#tick();
    if (this.#happens(1 / STEPS_PER_CHECK)) await this.#checkAll(false);
  }

  /** One scrape interval of traffic. */
  async #tick(): Promise<void> {
    await this.#clock.advance(this.#plan.scrapeMs);
    if (!(await this.#ensureProcess())) return;
    const orders: WriteOrder[] = [];
    const now = this.#clock.now();
    for (const traffic of this.#traffic.values()) {
      if (this.#happens(this.#plan.churnChance)) traffic.churn();
      orders.push(...traffic.scrape(now));
      if (this.#happens(this.#plan.lateChance)) orders.push(traffic.late(now));
    }
    const again = this.#retries.splice(0);
    await Promise.all([
      ...orders.map((order) => this.#send(order, RETRIES_MAX)),
      ...again.map(({ order, left }) => this.#send(order, left)),
    ]);
    if (this.#happens(this.#plan.deleteChance)) await this.#delete();
    this.#noteDurable();
  }

  async #send(order: WriteOrder, retriesLeft: number): Promise<void> {
    if (order.samples.length === 0) return;
    const model = this.#modelOf(order.tenant);
    for (const sample of order.samples) model.sending(sample);
    const response = await this.#within(WRITE_PATIENCE_MS, (process) =>
      process.write(order.tenant, order.body, order.version),
    );
    const status = response?.status ?? 0;
    if (status !== 204)
      this.#trace.note(`write ${order.tenant}: ${status} ${String(response?.body ?? 'no answer').trim()}`);
    if (response === undefined || status >= 500 || status === 429) {
      if (retriesLeft > 0) this.#retries.push({ order, left: retriesLeft - 1 });
      return;
    }
    this.#settleSamples(model, order, response);
    // A client whose connection broke after the answer was on its way sends again.
    if (retriesLeft > 0 && this.#happens(0.02)) this.#retries.push({ order, left: 0 });
  }

  #settleSamples(model: TenantModel, order: WriteOrder, response: HttpResponse): void {
    const refused = response.status === 204 ? new Set<string>() : refusedIn(response);
    if (response.status !== 204 && refused.size === 0)
      throw new Failure([`a good request is answered with ${response.status}: ${response.body}`]);
    for (const sample of order.samples)
      if (refused.has(`${sample.series} ${sample.t}`)) model.refused(sample);
      else {
        model.acknowledged(sample);
        this.#acknowledged++;
      }
  }

  async #delete(): Promise<void> {
    const tenant = this.#plan.tenants[Math.floor(this.#random.next() * this.#plan.tenants.length)];
    const labels = (this.#traffic.get(tenant) as Traffic).anyLabels();
    const maxt = this.#clock.now() - Math.floor(this.#random.next() * 2 * HOUR_MS);
    const mint = maxt - Math.floor(this.#random.next() * HOUR_MS);
    const deletion = { series: labels.toString(), mint, maxt };
    const matcher = new Matcher('=', 'pod', labels.get('pod'));
    const model = this.#modelOf(tenant);
    // Until it is answered nobody knows.
    model.deleted(deletion, Number.POSITIVE_INFINITY);
    const done = await this.#within(QUERY_PATIENCE_MS, async (process) => {
      try {
        await process.deleteSeries(tenant, matcher, mint, maxt);
        return true;
      } catch (error) {
        return (error as Error).message;
      }
    });
    this.#trace.note(`delete ${tenant} ${deletion.series} ${mint} … ${maxt}: ${done ?? 'no answer'}`);
    if (done === true) model.deleted(deletion, Number.NEGATIVE_INFINITY);
  }

  async #checkAll(mustBeComplete: boolean): Promise<void> {
    if (!(await this.#ensureProcess())) return;
    await Promise.all(this.#plan.tenants.map((tenant) => this.#check(tenant, mustBeComplete)));
  }

  /** Asks for everything of a tenant and compares. */
  async #check(tenant: string, mustBeComplete: boolean): Promise<void> {
    const end = this.#clock.now() + 15 * MINUTE_MS;
    const isStale = this.#clock.now() < this.#listsStaleUntil || this.#faults.has('staleLists');
    const seconds = Math.ceil((end - START_MS) / 1000) + 6 * 3600;
    const job: QueryJob = {
      kind: 'instant',
      query: `{__name__=~".+"}[${seconds}s]`,
      timeMs: end,
      lookbackDeltaMs: 0,
      limit: 0,
      stats: 'none',
      analyze: false,
    };
    const text = await this.#ask(tenant, job, mustBeComplete);
    if (text === undefined) return;
    await this.#checkIsolation(tenant, mustBeComplete);
    const { series, warnings } = parseAnswer(text);
    const counts = [...series.values()].reduce((sum, samples) => sum + samples.size, 0);
    this.#trace.note(
      `query ${tenant}: ${series.size} series, ${counts} samples, warnings ${JSON.stringify(warnings)}`,
    );
    if (warnings.length > 0) this.#partialAnswers++;
    else this.#completeAnswers++;
    if (mustBeComplete && warnings.length > 0)
      throw new Failure([`warnings at rest: ${warnings.join('; ')}`]);
    const differences = this.#modelOf(tenant).differences(
      series,
      START_MS - 6 * HOUR_MS,
      end,
      warnings.length > 0 || isStale,
    );
    if (differences.length > 0) throw new Failure(differences.map((text) => `${tenant}: ${text}`));
  }

  /** Undefined when there is no answer, which is allowed unless `mustAnswer`. */
  async #ask(tenant: string, job: QueryJob, mustAnswer: boolean): Promise<string | undefined> {
    let reason = 'no answer';
    const text = await this.#within(QUERY_PATIENCE_MS, (process) =>
      process.query(tenant, job).catch((error: Error) => {
        // Operating errors have codes, ours or the system's; others are defects.
        if (!('code' in error) && !process.life.isOver) throw error;
        reason = error.message;
        return undefined;
      }),
    );
    if (text !== undefined) return text;
    this.#trace.note(`query ${tenant}: ${reason}`);
    this.#partialAnswers++;
    if (mustAnswer) throw new Failure([`query of ${tenant} fails at rest: ${reason}`]);
    return undefined;
  }

  /** Values of labels tell of no other tenant; each puts its name into all its pods. */
  async #checkIsolation(tenant: string, mustAnswer: boolean): Promise<void> {
    const range = { startMs: START_MS - 24 * HOUR_MS, endMs: this.#clock.now() + HOUR_MS };
    const job: QueryJob = { kind: 'labelValues', name: 'pod', matcherSets: [], ...range, limit: 0 };
    const text = await this.#ask(tenant, job, mustAnswer);
    if (text === undefined) return;
    const { data } = JSON.parse(text) as { data: string[] };
    const foreign = data.filter((pod) => !pod.startsWith(`${tenant}-`));
    if (foreign.length > 0) throw new Failure([`${tenant} sees pods ${foreign.join(', ')}`]);
  }

  async #beginFault(): Promise<void> {
    const { faults } = this.#plan;
    if (faults.length === 0) return;
    const kind = faults[Math.floor(this.#random.next() * faults.length)];
    this.#trace.note(`fault: ${kind}`);
    if (kind === 'kill' || kind === 'power') this.#endSoon(kind === 'power');
    else if (kind === 'restart') await this.#restart();
    else this.#beginLasting(kind);
  }

  #beginLasting(kind: LastingFault): void {
    this.#faults.begin(kind, this.#step);
  }

  #endSoon(isPowerFailure: boolean): void {
    this.#isPowerFailure ||= isPowerFailure;
    this.#process?.life.endAfter(Math.floor(this.#random.next() ** 2 * 400));
  }

  async #restart(): Promise<void> {
    const stopping = this.#process;
    if (!stopping) return;
    const stopped = await this.#within(QUERY_PATIENCE_MS, (process) =>
      process.stop().then(
        () => 'stopped',
        (error: Error) => `stopped with: ${error.message}`,
      ),
    );
    this.#trace.note(`restart: ${stopped ?? 'killed while it stopped'}`);
    stopping.life.end();
  }

  /** Starts the system unless it runs; false when it does not come up now. */
  async #ensureProcess(): Promise<boolean> {
    if (this.#process && !this.#process.life.isOver) return true;
    this.#process = undefined;
    const life = new Life();
    life.onEnd(() => this.#noteDeath());
    const seed = Math.floor(this.#random.next() * 2 ** 32);
    const surroundings = {
      plan: this.#plan,
      clock: this.#clock,
      disk: this.#disk,
      pace: this.#pace,
      bucket: this.#bucket,
      trace: this.#trace,
    };
    const process = new SimProcess(surroundings, life, seed);
    if (this.#step < this.#plan.steps && this.#happens(0.15))
      life.endAfter(Math.floor(this.#random.next() ** 2 * 300));
    this.#lives++;
    this.#trace.note(`process ${this.#lives} starts`);
    this.#process = process;
    const started = await this.#within(START_PATIENCE_MS, () =>
      process.start().then(
        () => true,
        (error: Error) => {
          this.#trace.note(`process ${this.#lives} does not start: ${error.message}`);
          return false;
        },
      ),
    );
    if (started === true) return true;
    life.end();
    this.#process = undefined;
    return false;
  }

  #noteDeath(): void {
    this.#noteDurable();
    const what = this.#isPowerFailure ? 'power fails' : 'process ends';
    this.#trace.note(what);
    if (this.#isPowerFailure) {
      this.#disk.crash(Math.floor(this.#random.next() * 2 ** 32));
      if (this.#plan.fsync !== 'always')
        for (const [tenant, model] of this.#models)
          model.lostUnsynced(this.#durableUntil.get(tenant) ?? Number.NEGATIVE_INFINITY);
    }
    this.#isPowerFailure = false;
  }

  /** Remembers how far blocks of samples in order reach. */
  #noteDurable(): void {
    for (const [tenant, { db }] of this.#process?.tenants.all ?? [])
      for (const { block } of db.blocks)
        if (!block.meta.compaction.hints?.includes(FROM_OUT_OF_ORDER))
          this.#durableUntil.set(
            tenant,
            Math.max(this.#durableUntil.get(tenant) ?? Number.NEGATIVE_INFINITY, block.meta.maxTime),
          );
    if (this.#faults.has('staleLists')) this.#listsStaleUntil = this.#clock.now() + 15 * MINUTE_MS;
  }

  /** What `run` comes to, letting time pass meanwhile; undefined when it takes too long or the process dies. */
  async #within<T>(patienceMs: number, run: (process: SimProcess) => Promise<T>): Promise<T | undefined> {
    const process = this.#process;
    if (!process || process.life.isOver) return undefined;
    let outcome: { value?: T; error?: unknown } | undefined;
    run(process).then(
      (value) => {
        outcome = { value };
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    const deadline = this.#clock.now() + patienceMs;
    const isOpen = () => outcome === undefined && !process.life.isOver;
    for (let i = 0; i < 20 && isOpen(); i++) await settle(5);
    while (isOpen() && this.#clock.now() < deadline) await this.#passTime();
    if (outcome?.error !== undefined && !process.life.isOver) throw outcome.error;
    return process.life.isOver ? undefined : outcome?.value;
  }

  /** Many wait for time to pass; it passes once for all of them. */
  #passTime(): Promise<void> {
    this.#passing ??= this.#clock.advance(500).finally(() => {
      this.#passing = undefined;
    });
    return this.#passing;
  }

  /** Faults are over: the system must become quiet, complete and clean. */
  async #comeToRest(): Promise<void> {
    this.#faults.endAll();
    this.#isPowerFailure = false;
    this.#trace.note('faults are over');
    this.#process?.life.end();
    const steps = Math.ceil((3.5 * BLOCK_RANGE_MS) / this.#plan.scrapeMs);
    for (let i = 0; i < steps; i++) await this.#tick();
    await this.#clock.advance(30 * MINUTE_MS);
    await this.#checkAll(true);
    await this.#restart();
    await this.#clock.advance(MINUTE_MS);
    if (!(await this.#ensureProcess())) throw new Failure(['the process does not start at rest']);
    await this.#clock.advance(30 * MINUTE_MS);
    await this.#checkAll(true);
    const unrest = await findUnrest(this.#plan, this.#disk, this.#bucket);
    if (unrest.length > 0) throw new Failure(unrest);
  }

  #modelOf(tenant: string): TenantModel {
    return this.#models.get(tenant) as TenantModel;
  }

  #fork(): Random {
    return new SeededRandom(Math.floor(this.#random.next() * 2 ** 32));
  }

  #happens(chance: number): boolean {
    return this.#random.next() < chance;
  }
}
