import { BlockMarker } from '../../src/blocks/block-marker.ts';
import { DeletionRequests } from '../../src/blocks/deletion-requests.ts';
import { blockRef } from '../../src/blocks/layout.ts';
import { parseMeta } from '../../src/blocks/meta.ts';
import { writeTenantDeletion } from '../../src/blocks/tenant-deletion.ts';
import { Matcher } from '../../src/model/matcher.ts';
import { FailingBucket, NO_FAULTS } from '../../src/objstore/failing-bucket.ts';
import { MemoryBucket } from '../../src/objstore/memory-bucket.ts';
import { silentLogger } from '../../src/platform/log.ts';
import { MemoryDisk } from '../../src/platform/memory-disk.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { type Random, SeededRandom } from '../../src/platform/random.ts';
import { newUlid, ulidTime } from '../../src/tsdb/block/ulid.ts';
import { SimulatedClock, settle } from '../clock.ts';
import { Failure } from '../failure.ts';
import { Life } from '../life.ts';
import { Trace } from '../trace.ts';
import { CompactorProcess } from './compactor-process.ts';
import { DAMAGES, putDamaged, putPartial } from './damage.ts';
import { hours, Ingester } from './ingester.ts';
import { type AnswerRules, HallModel } from './model.ts';
import {
  BLOCK_MS,
  type HallPlan,
  HOUR_MS,
  hallPlanOf,
  MINUTE_MS,
  SCRAPE_MS,
  START_MS,
  STEP_MS,
  type TenantPlan,
} from './plan.ts';
import { findGarbage } from './quiet.ts';
import { Reader } from './reader.ts';
import { SkewedClock } from './skewed-clock.ts';
import { type Hall, NO_SIGNAL } from './surroundings.ts';

export interface HallResult {
  readonly plan: HallPlan;
  /** What contradicts the promises; none when all is well. */
  readonly failures: readonly string[];
  readonly step: number;
  readonly digest: string;
  readonly lines: readonly string[];
  readonly counts: HallCounts;
}

export interface HallCounts {
  blocks: number;
  lives: number;
  /** Answers that were compared. */
  answers: number;
  /** Queries that failed, as they may while the bucket does. */
  unanswered: number;
}

const QUERY_PATIENCE_MS = 2 * HOUR_MS;

/** Runs one history of the hall to its end, or to the first contradiction. */
export function simulateHall(seed: number, keepsAllLines = false): Promise<HallResult> {
  return new HallSimulation(seed, keepsAllLines).run();
}

class HallSimulation {
  readonly #random: Random;
  readonly #plan: HallPlan;
  readonly #clock = new SimulatedClock(START_MS);
  readonly #trace: Trace;
  readonly #hall: Hall;
  readonly #models = new Map<string, HallModel>();
  readonly #ingesters: Ingester[] = [];
  readonly #compactors: (CompactorProcess | undefined)[] = [];
  readonly #compactorDisks: MemoryDisk[] = [];
  readonly #skews: number[] = [];
  readonly #damaged = new Set<string>();
  readonly #notCompacted = new Set<string>();
  readonly #counts: HallCounts = { blocks: 0, lives: 0, answers: 0, unanswered: 0 };
  #reader: Reader;
  #readerDisk = new MemoryDisk();
  #step = 0;
  #lateBlocks = 0;
  /** Samples in order before this are in blocks. */
  #cutUntil = START_MS;
  #faultsUntil = 0;
  #deletedTenant: string | undefined;

  constructor(seed: number, keepsAllLines: boolean) {
    this.#random = new SeededRandom(seed);
    this.#plan = hallPlanOf(seed, this.#random);
    this.#trace = new Trace(() => this.#clock.now(), keepsAllLines);
    const ground = new MemoryBucket(this.#clock);
    const bucket = new FailingBucket(ground, this.#fork(), this.#clock);
    this.#hall = { plan: this.#plan, clock: this.#clock, ground, bucket, trace: this.#trace };
    for (const tenant of this.#plan.tenants) {
      const model = new HallModel(this.#plan);
      this.#models.set(tenant.name, model);
      for (let i = 0; i < tenant.replicas; i++)
        this.#ingesters.push(new Ingester(this.#hall, tenant, model, i, this.#skew(), this.#fork()));
    }
    for (let i = 0; i < this.#plan.compactors; i++) {
      this.#compactors.push(undefined);
      this.#compactorDisks.push(new MemoryDisk());
      this.#skews.push(this.#skew());
    }
    this.#reader = this.#newReader();
  }

  async run(): Promise<HallResult> {
    const failures: string[] = [];
    try {
      this.#trace.note(`plan ${JSON.stringify(this.#plan)}`);
      for (; this.#step < this.#plan.steps; this.#step++) await this.#faultyStep();
      await this.#comeToRest();
    } catch (error) {
      if (error instanceof Failure) {
        failures.push(...error.differences);
        await this.#noteBlocks();
      } else failures.push(`defect: ${(error as Error).stack}`);
    }
    for (const compactor of this.#compactors) compactor?.life.end();
    for (const ingester of this.#ingesters) ingester.kill();
    return {
      plan: this.#plan,
      failures,
      step: this.#step,
      digest: this.#trace.digest(),
      lines: this.#trace.lines,
      counts: this.#counts,
    };
  }

  /** For whoever looks for a cause: what is in the bucket. */
  async #noteBlocks(): Promise<void> {
    for (const { name } of this.#plan.tenants)
      this.#trace.note(`  the reader looks at ${name}: ${this.#reader.blocks(name).join(', ')}`);
    for await (const { kind, key } of this.#hall.ground.list(NO_SIGNAL, '', { recursive: true }))
      if (kind === 'object' && key.endsWith('meta.json')) {
        const bytes = await this.#hall.ground.get(NO_SIGNAL, key);
        try {
          const { ulid, mint, maxt, level, labels, resolutionMs, sources, appliedDeletions } = parseMeta(
            bytes,
            key,
            key.split('/').at(-2) as string,
          );
          this.#trace.note(
            `  block ${ulid} ${hours(mint)} … ${hours(maxt)} level ${level} ${resolutionMs} ${JSON.stringify(labels)} of ${sources} without ${appliedDeletions}`,
          );
        } catch (error) {
          this.#trace.note(`  block ${key}: ${(error as Error).message}`);
        }
      } else if (kind === 'object' && /mark|deletions/.test(key)) this.#trace.note(`  ${key}`);
  }

  async #faultyStep(): Promise<void> {
    this.#faults();
    this.#fillDisks();
    await this.#keepCompactors();
    await this.#cut();
    await this.#ship();
    await this.#disturb();
    await this.#advance(STEP_MS);
    await this.#noteStored();
    for (const tenant of this.#plan.tenants) if (this.#happens(0.25)) await this.#check(tenant, false);
    if (this.#happens(0.05)) this.#reader = this.#newReader();
  }

  #faults(): void {
    const { bucket } = this.#hall;
    if (this.#step >= this.#faultsUntil && bucket.faults !== NO_FAULTS) {
      bucket.faults = NO_FAULTS;
      this.#trace.note('the bucket is well again');
    }
    if (!this.#happens(this.#plan.faultChance)) return;
    this.#faultsUntil = this.#step + 1 + Math.floor(this.#random.next() * 6);
    const r = () => this.#random.next();
    const isDown = r() < 0.1;
    bucket.faults = {
      errors: isDown ? 1 : 0.1 * r(),
      lostAnswers: 0.1 * r(),
      halfWrites: 0.1 * r(),
      staleLists: this.#plan.staleLists ? 0.3 * r() : 0,
      delays: 0.2 * r(),
      delayMsMax: r() < 0.3 ? 10 * MINUTE_MS : 20_000,
    };
    this.#trace.note(`the bucket fails: ${JSON.stringify(bucket.faults)}`);
  }

  /** A disk is full for a step and tells so, or has a quota that a job runs into. */
  #fillDisks(): void {
    if (this.#plan.fullDiskChance === 0) return;
    for (const [index, { faults }] of this.#compactorDisks.entries()) {
      const isFull = this.#happens(this.#plan.fullDiskChance);
      faults.bytesLeft = isFull ? Math.floor(this.#random.next() ** 2 * 60_000) : Number.POSITIVE_INFINITY;
      faults.hidesLimit = isFull && this.#happens(0.7);
      if (isFull)
        this.#trace.note(
          `the disk of compactor ${index} has ${faults.bytesLeft} bytes${faults.hidesLimit ? ' and tells of more' : ''}`,
        );
    }
  }

  /** Starts compactors that do not run, each after a while, and lets some die. */
  async #keepCompactors(): Promise<void> {
    for (const [index, compactor] of this.#compactors.entries()) {
      if (compactor && !compactor.life.isOver) {
        if (!this.#happens(this.#plan.killChance)) continue;
        compactor.life.endAfter(Math.floor(this.#random.next() ** 2 * 300));
      } else if (!compactor || this.#happens(0.6)) this.#startCompactor(index);
    }
  }

  /** Without `isBusy` it makes rounds only when told to. */
  #startCompactor(index: number, isBusy = true): CompactorProcess {
    const life = new Life();
    if (this.#happens(0.3)) this.#compactorDisks[index] = new MemoryDisk();
    life.onEnd(() => this.#trace.note(`compactor ${index} dies`));
    const place = {
      index,
      skewMs: this.#skews[index],
      disk: this.#compactorDisks[index],
      seed: this.#seed(),
    };
    const compactor = new CompactorProcess(this.#hall, life, place);
    this.#compactors[index] = compactor;
    this.#counts.lives++;
    this.#trace.note(`compactor ${index} starts`);
    if (isBusy)
      compactor
        .start()
        .catch((error: Error) => this.#trace.note(`compactor ${index} does not start: ${error.message}`));
    return compactor;
  }

  /** At the end of two hours each ingester cuts its block; sometimes one of late samples, over any time. */
  async #cut(): Promise<void> {
    const now = this.#clock.now();
    const isDue = now >= this.#cutUntil + BLOCK_MS;
    if (isDue) this.#cutUntil += BLOCK_MS;
    for (const ingester of this.#ingesters) {
      if (ingester.tenant.name === this.#deletedTenant) continue;
      if (isDue) {
        await ingester.cut(this.#cutUntil - BLOCK_MS, this.#cutUntil, 0);
        this.#counts.blocks++;
      }
      if (now - START_MS > BLOCK_MS && this.#happens(this.#plan.lateChance))
        await this.#cutLate(ingester, now);
    }
  }

  async #cutLate(ingester: Ingester, now: number): Promise<void> {
    const back = Math.floor(this.#random.next() * Math.min(20 * HOUR_MS, now - START_MS - BLOCK_MS));
    // Late blocks of heads are aligned; those of other programs begin and end anywhere.
    const isAligned = this.#happens(0.6) || this.#plan.dedup === 'penalty';
    const unit = isAligned ? BLOCK_MS : SCRAPE_MS;
    const mint = Math.floor((now - BLOCK_MS - back) / unit) * unit;
    const span = isAligned ? BLOCK_MS : (1 + Math.floor(this.#random.next() * 12)) * SCRAPE_MS;
    if (mint < START_MS || mint + span > now) return;
    // No late sample comes twice, but where that is wanted; also one that is in a window already counts once.
    const offset = MINUTE_MS + 1000 * (this.#lateBlocks++ % 800);
    const isAgain = this.#happens(0.2);
    await ingester.cut(mint, mint + span, isAgain ? 0 : offset, isAligned);
    this.#counts.blocks++;
  }

  /** Some ship now; one that was away for long has several blocks. */
  async #ship(): Promise<void> {
    for (const ingester of this.#ingesters) {
      if (ingester.tenant.name === this.#deletedTenant || !this.#happens(0.7)) continue;
      const dies = this.#happens(this.#plan.killChance);
      await ingester.ship(dies ? Math.floor(this.#random.next() * 20) : Number.POSITIVE_INFINITY);
    }
  }

  async #disturb(): Promise<void> {
    const { plan, ground } = this.#hall;
    const tenants = plan.tenants.filter(({ name }) => name !== this.#deletedTenant);
    const tenant = tenants[Math.floor(this.#random.next() * tenants.length)];
    if (!tenant) return;
    const now = this.#clock.now();
    const ulid = () => newUlid(this.#clock, this.#random);
    if (this.#happens(plan.deleteChance)) await this.#deleteSeries(tenant);
    if (this.#happens(plan.partialChance)) await putPartial(ground, tenant, ulid(), this.#happens(0.5));
    if (now - START_MS > BLOCK_MS && this.#happens(plan.corruptChance)) {
      const id = ulid();
      const damage = DAMAGES[Math.floor(this.#random.next() * DAMAGES.length)];
      const at = START_MS + Math.floor((this.#random.next() * (now - START_MS)) / BLOCK_MS) * BLOCK_MS;
      this.#trace.note(`a block of ${tenant.name} at ${hours(at)} is damaged: ${id} ${damage}`);
      this.#damaged.add(id);
      await putDamaged(ground, tenant, id, at, damage, this.#random);
    }
    if (this.#happens(plan.noCompactChance)) await this.#markNoCompact(tenant);
    if (this.#step === plan.tenantDeletedAt) await this.#deleteTenant(plan.tenants.at(-1) as TenantPlan);
  }

  async #deleteSeries(tenant: TenantPlan): Promise<void> {
    const clock = new SkewedClock(this.#clock, this.#skew());
    const { bucket } = this.#hall;
    const deps = { bucket, clock, random: this.#fork(), log: silentLogger, metrics: new Metrics() };
    const now = this.#clock.now();
    const maxt = now - Math.floor(this.#random.next() * 20 * HOUR_MS);
    const mint = maxt - Math.floor(this.#random.next() * 6 * HOUR_MS);
    const number = Math.floor(this.#random.next() * tenant.series);
    const wish = { matcherSets: [[new Matcher('=', 'a', String(number))]], mint, maxt };
    const model = this.#modelOf(tenant);
    let request: { readonly timeMs: number } | undefined;
    try {
      request = await this.#within(new DeletionRequests(deps).add(NO_SIGNAL, tenant.name, wish));
    } catch (error) {
      this.#trace.note(`delete: ${(error as Error).message}`);
    }
    this.#trace.note(
      `delete ${tenant.name} ${number}, ${hours(mint)} … ${hours(maxt)}: ${request ? 'yes' : 'unknown'}`,
    );
    const timeMs = request?.timeMs ?? 0;
    const wanted = { series: `{a="${number}"}`, mint, maxt };
    model.deleted(wanted, request !== undefined, (ulid) => ulidTime(ulid) <= timeMs);
  }

  async #markNoCompact(tenant: TenantPlan): Promise<void> {
    const { ground } = this.#hall;
    const prefix = tenant.layout === 'root' ? '' : `${tenant.name}/`;
    const ulids: string[] = [];
    for await (const { kind, key } of ground.list(NO_SIGNAL, prefix))
      if (kind === 'folder' && /[0-9A-Z]{26}\/$/.test(key)) ulids.push(key.slice(-27, -1));
    const ulid = ulids[Math.floor(this.#random.next() * ulids.length)];
    if (ulid === undefined) return;
    this.#notCompacted.add(ulid);
    const marker = new BlockMarker({ bucket: ground, clock: this.#clock, log: silentLogger });
    this.#trace.note(`no-compact ${ulid}`);
    await marker.mark(NO_SIGNAL, blockRef(tenant.name, ulid, tenant.layout), 'no-compact');
  }

  async #deleteTenant({ name }: TenantPlan): Promise<void> {
    this.#trace.note(`tenant ${name} is deleted`);
    for (const ingester of this.#ingesters) if (ingester.tenant.name === name) ingester.kill();
    this.#modelOf({ name }).isDeleted = true;
    this.#deletedTenant = name;
    await writeTenantDeletion(NO_SIGNAL, this.#hall.ground, name, {
      requestedMs: this.#clock.now(),
      finishedMs: undefined,
    });
  }

  /** Learns which blocks became whole in the bucket. */
  async #noteStored(): Promise<void> {
    const { ground } = this.#hall;
    for (const { tenant, pending } of this.#ingesters)
      for (const { ulid, metaKey } of pending.values()) {
        if (!(await ground.exists(NO_SIGNAL, metaKey))) continue;
        try {
          parseMeta(await ground.get(NO_SIGNAL, metaKey), metaKey, ulid);
        } catch {
          continue;
        }
        pending.delete(ulid);
        this.#modelOf(tenant).stored(ulid);
        this.#trace.note(`${ulid} is in the bucket`);
      }
  }

  /** Asks for everything of a tenant and compares. */
  async #check(tenant: TenantPlan, atRest: boolean): Promise<void> {
    const reader = this.#reader;
    const model = this.#modelOf(tenant);
    const { version } = model;
    // A block is not shown before it is old enough.
    const isFresh = this.#plan.consistencyDelayMs > 0 && !atRest;
    try {
      if (atRest || this.#happens(0.7)) await this.#within(reader.refresh(tenant.name, version));
      const isStale = isFresh || reader.stale.has(tenant.name);
      const answer = await this.#within(reader.samples(tenant.name));
      if (!answer) throw new Error('no answer in time');
      const rules = {
        syncedAt: reader.syncedAt.get(tenant.name) ?? 0,
        nowMs: this.#clock.now(),
        isStale,
        atRest,
      };
      const samples = withoutBad(answer);
      this.#trace.note(
        `query ${tenant.name}: ${[...samples.values()].reduce((sum, { size }) => sum + size, 0)} samples`,
      );
      const differences = model.differences(samples, rules);
      if (differences.length > 0) throw new Failure(differences.map((text) => `${tenant.name}: ${text}`));
      if (this.#plan.downsampling && tenant.replicas === 1) await this.#checkCounts(tenant, model, rules);
      this.#counts.answers++;
    } catch (error) {
      if (error instanceof Failure) throw error;
      const { code, message } = error as { code?: string; message: string };
      this.#trace.note(`query ${tenant.name}: ${message}`);
      this.#counts.unanswered++;
      if (code === undefined && message !== 'no answer in time') throw error;
      if (atRest && this.#damaged.size === 0)
        throw new Failure([`query of ${tenant.name} fails at rest: ${message}`]);
    }
  }

  /** Whatever the resolution, no sample counts twice, and at rest none is left out. */
  async #checkCounts(tenant: TenantPlan, model: HallModel, rules: AnswerRules): Promise<void> {
    for (const maxMs of [300_000, 3_600_000]) {
      const counts = await this.#within(this.#reader.counts(tenant.name, maxMs));
      if (!counts) return;
      for (const series of model.seriesNames) {
        const where = `${tenant.name}: ${series} at a resolution of ${maxMs} ms`;
        const bounds = model.bounds(series, maxMs, rules);
        for (const [end, count] of counts.get(series) ?? []) {
          const most = bounds.get(end)?.most ?? 0;
          // Windows keep what is too old to be raw.
          if (!this.#plan.retention && count > most)
            throw new Failure([
              `${where}: ${count} samples until ${end} (${hours(end)}), at most ${most} there are`,
            ]);
        }
        if (!rules.atRest || model.hasDeletions(series)) continue;
        for (const [end, { least }] of bounds) {
          const count = counts.get(series)?.get(end) ?? 0;
          if (count < least)
            throw new Failure([
              `${where}: ${count} samples until ${end} (${hours(end)}), at least ${least} there are`,
            ]);
        }
      }
    }
  }

  /** Faults are over: everything must be done, and nothing be left over. */
  async #comeToRest(): Promise<void> {
    const { bucket } = this.#hall;
    bucket.faults = NO_FAULTS;
    for (const { faults } of this.#compactorDisks) faults.bytesLeft = Number.POSITIVE_INFINITY;
    this.#trace.note('faults are over');
    for (const compactor of this.#compactors) compactor?.life.end();
    for (let i = 0; i < 4; i++) {
      for (const ingester of this.#ingesters)
        if (ingester.tenant.name !== this.#deletedTenant) await ingester.ship(Number.POSITIVE_INFINITY);
      await this.#advance(MINUTE_MS);
    }
    for (const ingester of this.#ingesters) {
      await this.#within(ingester.idle());
    }
    await this.#noteStored();
    for (const { tenant, pending } of this.#ingesters)
      if (tenant.name !== this.#deletedTenant && pending.size > 0)
        throw new Failure([...pending.keys()].map((ulid) => `${tenant.name}: ${ulid} is not in the bucket`));
    await this.#advance(20 * MINUTE_MS);
    const compactors = this.#compactors.map((_, index) => this.#startCompactor(index, false));
    for (const waitMs of [1, 1, 2, 3, 6, 12, 24, 12, 24, 12].map((wait) => wait * HOUR_MS)) {
      for (const compactor of compactors) await this.#within(compactor.round().catch(() => undefined));
      for (const tenant of this.#plan.tenants) await this.#check(tenant, false);
      await this.#advance(waitMs);
    }
    await this.#findUnrest(compactors);
  }

  async #findUnrest(compactors: readonly CompactorProcess[]): Promise<void> {
    const found: string[] = [];
    for (const [index, compactor] of compactors.entries()) {
      const report = await this.#within(compactor.round());
      if (!report || report.jobs + report.failures > 0 || compactor.todo > 0)
        found.push(
          `compactor ${index} is not quiet: ${JSON.stringify(report)}, ${compactor.todo} jobs to do`,
        );
    }
    const { tenants } = this.#plan;
    const expected = {
      tenants,
      deletedTenant: this.#deletedTenant,
      chainMsMax: 2 * (this.#plan.rules.rangesMs.at(-1) as number),
      damaged: this.#damaged,
      notCompacted: this.#notCompacted,
    };
    found.push(...(await findGarbage(this.#hall.ground, expected)));
    if (found.length > 0) throw new Failure(found);
    for (const tenant of tenants) await this.#check(tenant, true);
    this.#reader = this.#newReader();
    for (const tenant of tenants) await this.#check(tenant, true);
  }

  /** What `work` comes to, letting time pass meanwhile; undefined when it takes too long. */
  async #within<T>(work: Promise<T>): Promise<T | undefined> {
    let outcome: { value?: T; error?: unknown } | undefined;
    work.then(
      (value) => {
        outcome = { value };
      },
      (error: unknown) => {
        outcome = { error };
      },
    );
    const deadline = this.#clock.now() + QUERY_PATIENCE_MS;
    for (let i = 0; i < 400 && !outcome; i++) await settle(5);
    while (!outcome && this.#clock.now() < deadline) await this.#clock.advance(5_000);
    if (outcome?.error !== undefined) throw outcome.error;
    return outcome?.value;
  }

  async #advance(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    await settle(200);
  }

  #newReader(): Reader {
    if (this.#happens(0.5)) this.#readerDisk = new MemoryDisk();
    return new Reader(this.#hall, this.#readerDisk, this.#skew(), this.#seed());
  }

  #modelOf({ name }: Pick<TenantPlan, 'name'>): HallModel {
    return this.#models.get(name) as HallModel;
  }

  #skew(): number {
    return Math.round((2 * this.#random.next() - 1) * this.#plan.skewMs);
  }

  #seed(): number {
    return Math.floor(this.#random.next() * 2 ** 32);
  }

  #fork(): Random {
    return new SeededRandom(this.#seed());
  }

  #happens(chance: number): boolean {
    return this.#random.next() < chance;
  }
}

/** Damaged blocks have series of their own, of which nothing is promised. */
function withoutBad<V>(answer: Map<string, V>): Map<string, V> {
  return new Map([...answer].filter(([series]) => !series.includes('bad=')));
}
