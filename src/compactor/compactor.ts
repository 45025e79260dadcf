import type { BucketBlock, TenantBlocks } from '../blocks/block-catalog.ts';
import { type DeletionRequest, needsDeletion } from '../blocks/deletion-request.ts';
import { deletedTenants } from '../blocks/tenant-deletion.ts';
import { messageOf } from '../model/errors.ts';
import { abortError, assertNotAborted, type BucketContext } from '../objstore/bucket.ts';
import { Gate } from '../objstore/gate.ts';
import { BlockFault } from '../tsdb/compact/merge-source.ts';
import { Backoff } from './backoff.ts';
import { type CompactorMetrics, compactorMetrics } from './compactor-metrics.ts';
import type { CompactorDeps, CompactorOptions } from './compactor-options.ts';
import { DamagedBlocks } from './damaged-blocks.ts';
import { DiskShortage } from './disk-shortage.ts';
import { type CompactorJob, JOB_KINDS } from './job.ts';
import { type CompactionPlan, planCompaction } from './plan.ts';
import { planDownsampling } from './plan-downsampling.ts';
import { planRewrites } from './plan-rewrites.ts';
import { Progress, type RunningJob } from './progress.ts';
import type { JobReport } from './run-job.ts';
import { retentionRemovals } from './selector-retention.ts';
import { dueDeletions } from './series-deletions.ts';
import { TenantUpkeep } from './tenant-upkeep.ts';

/** What a round did. */
export interface RoundReport {
  readonly jobs: number;
  readonly failures: number;
}

/** A tenant is looked at again at once after its jobs, at most this often in one round. */
const PASSES_MAX = 50;
const TENANTS_AT_ONCE = 4;
/** A deletion request is left alone this long, so that it is surely settled. */
const DELETION_WAIT_MS = 15 * 60_000;
/** While a tenant's jobs go on, what is expired or was marked long enough does not wait for the last of them. */
const TIDY_INTERVAL_MS = 10 * 60_000;

/**
 * `damaged`: a block of it was suspected or set aside, so that there is something new to plan. `no_disk`: it will be tried again
 * when others are done, or in the next round.
 */
type JobOutcome = 'done' | 'damaged' | 'failed' | 'no_disk';

/**
 * Looks after the blocks of all tenants in a bucket, round by round: joins them, marks what others hold as well, removes
 * what was marked long enough. Nothing stops it: a tenant, a job or a block that fails is noted and left for later while
 * everything else goes on; a block that is damaged is set aside. It may be killed at any moment.
 */
export class Compactor {
  readonly name = 'compactor';
  readonly progress = new Progress();
  readonly #options: CompactorOptions;
  readonly #deps: CompactorDeps;
  readonly #metrics: CompactorMetrics;
  readonly #backoff: Backoff;
  readonly #gate: Gate;
  readonly #stopping = new AbortController();
  readonly #damaged: DamagedBlocks;
  readonly #upkeep: TenantUpkeep;
  /** When a tenant was tidied last, by the monotonic clock. */
  readonly #tidiedMs = new Map<string, number>();
  #cancelTimer: (() => void) | undefined;
  #round: Promise<unknown> = Promise.resolve();

  constructor(options: CompactorOptions, deps: CompactorDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#metrics = compactorMetrics(deps.metrics);
    this.#backoff = new Backoff(deps.clock);
    this.#gate = new Gate(options.concurrency);
    this.#damaged = new DamagedBlocks(deps, this.#metrics);
    this.#upkeep = new TenantUpkeep(options, deps, this.#metrics, this.progress);
  }

  async start(): Promise<void> {
    this.#begin();
  }

  /** Ends jobs under way; what they did so far is thrown away. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelTimer?.();
    await this.#round;
  }

  /** One round over all tenants. Rejects only when it is cancelled or the bucket cannot be listed. */
  async runRound(ctx: BucketContext): Promise<RoundReport> {
    const tenants = await this.#deps.catalog.tenants(ctx);
    for (const known of this.progress.tenants.keys())
      if (!tenants.includes(known)) this.progress.tenants.delete(known);
    const deleted = await deletedTenants(ctx, this.#deps.bucket);
    const gate = new Gate(TENANTS_AT_ONCE);
    const report = { jobs: 0, failures: 0 };
    await Promise.all(
      [...new Set([...tenants, ...deleted])].map((tenant) =>
        gate.run(ctx.signal, `compact ${tenant}`, () =>
          this.#runTenant(ctx, tenant, deleted.has(tenant), report),
        ),
      ),
    );
    return report;
  }

  #begin(): void {
    this.#round = this.#runAndCount().finally(() => {
      if (!this.#stopping.signal.aborted)
        this.#cancelTimer = this.#deps.clock.after(this.#options.intervalMs, () => this.#begin());
    });
  }

  async #runAndCount(): Promise<void> {
    const { log, clock } = this.#deps;
    try {
      const { jobs, failures } = await this.runRound({ signal: this.#stopping.signal });
      this.#metrics.rounds.inc({ outcome: failures === 0 ? 'good' : 'failures' });
      if (failures === 0) this.#metrics.lastSuccess.set(clock.now() / 1000);
      if (jobs + failures > 0) log.info('a round of the compactor is over', { jobs, failures });
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#metrics.rounds.inc({ outcome: 'broken_off' });
      log.warn('a round of the compactor broke off; the next one tries again', { error: messageOf(error) });
    }
  }

  async #runTenant(
    ctx: BucketContext,
    tenant: string,
    isDeleted: boolean,
    report: { jobs: number; failures: number },
  ): Promise<void> {
    this.#tidiedMs.set(tenant, this.#deps.clock.monotonic());
    try {
      for (let pass = 0; pass < PASSES_MAX; pass++) {
        const view = await this.#deps.catalog.refresh(ctx, tenant, { full: true });
        if ((isDeleted || view.isTenantDeleted) && (await this.#upkeep.deleteTenant(ctx, tenant, view)))
          return;
        const outcomes = await this.#runPass(ctx, tenant, view);
        report.jobs += outcomes.filter((outcome) => outcome === 'done').length;
        report.failures += outcomes.filter((outcome) => outcome !== 'done').length;
        if (outcomes.every((outcome) => outcome === 'failed' || outcome === 'no_disk')) break;
      }
      await this.#upkeep.endRound(ctx, tenant);
    } catch (error) {
      if (ctx.signal.aborted) throw abortError(ctx.signal, `compact ${tenant}`);
      report.failures++;
      this.#metrics.tenantFailures.inc();
      this.progress.tenants.set(tenant, { jobs: [], quarantined: [], problem: messageOf(error) });
      this.#deps.log.warn('the blocks of a tenant could not be looked after', {
        tenant,
        error: messageOf(error),
      });
    }
  }

  /** Marks garbage and does the jobs of one plan. */
  async #runPass(ctx: BucketContext, tenant: string, view: TenantBlocks): Promise<readonly JobOutcome[]> {
    assertNotAborted(ctx, `compact ${tenant}`);
    const { ownership } = this.#deps;
    const plan = await this.#plan(ctx, tenant, view);
    if (ownership.ownsTenant(tenant)) await this.#markGarbage(ctx, plan);
    this.#note(tenant, view, plan.jobs);
    const mine = plan.jobs.filter(({ id }) => ownership.ownsJob(tenant, id) && !this.#backoff.waits(id));
    return Promise.all(
      mine.map(async (job) => {
        const outcome = await this.#gate.run(ctx.signal, `compact ${tenant}`, () => this.#runJob(ctx, job));
        await this.#tidyNowAndThen(ctx, tenant);
        return outcome;
      }),
    );
  }

  /** By a new look at the tenant, for the one that the jobs were planned by is old. What goes wrong is left to the end of the round. */
  async #tidyNowAndThen(ctx: BucketContext, tenant: string): Promise<void> {
    const nowMs = this.#deps.clock.monotonic();
    if (nowMs - (this.#tidiedMs.get(tenant) ?? nowMs) < TIDY_INTERVAL_MS) return;
    this.#tidiedMs.set(tenant, nowMs);
    try {
      await this.#deps.catalog.refresh(ctx, tenant, { full: true });
      await this.#upkeep.tidy(ctx, tenant);
    } catch (error) {
      if (ctx.signal.aborted) throw abortError(ctx.signal, `compact ${tenant}`);
      this.#deps.log.warn('a tenant could not be tidied between jobs', { tenant, error: messageOf(error) });
    }
  }

  async #plan(ctx: BucketContext, tenant: string, view: TenantBlocks): Promise<CompactionPlan> {
    const { clock, deletions } = this.#deps;
    const nowMs = clock.now();
    const asked = dueDeletions(await deletions.refresh(ctx, tenant), nowMs, DELETION_WAIT_MS);
    const { selectorRetention = [] } = this.#options;
    const requests = [...asked, ...retentionRemovals(tenant, selectorRetention, nowMs)];
    const plan = planCompaction(tenant, view.whole, this.#options.rules, nowMs, requests);
    const rewrites = planRewrites(tenant, view.whole, plan, requests);
    const busy = { ...plan, jobs: [...plan.jobs, ...rewrites] };
    const { downsampling } = this.#options;
    const coarser = downsampling ? planDownsampling(tenant, view.whole, busy, downsampling, nowMs) : [];
    return { ...plan, jobs: [...busy.jobs, ...coarser] };
  }

  async #markGarbage(ctx: BucketContext, { garbage }: CompactionPlan): Promise<void> {
    for (const { block, coveredBy } of garbage) {
      await this.#deps.marker.mark(ctx, block.ref, 'deletion', {
        details: `its samples are in ${coveredBy.slice(0, 4).join(', ')}`,
      });
      this.#metrics.marked.inc({ reason: 'compacted' });
    }
  }

  /** Whatever is wrong with a job stays its own matter. */
  async #runJob(ctx: BucketContext, job: CompactorJob): Promise<JobOutcome> {
    const { clock, log, runner } = this.#deps;
    const running: RunningJob = {
      job,
      startedMs: clock.now(),
      progress: { step: 'download', done: 0 },
    };
    this.progress.running.add(running);
    const begin = clock.monotonic();
    try {
      const report = await runner.run(ctx, job, (progress) => {
        running.progress = progress;
      });
      await this.#finishJob(ctx, job, report, clock.monotonic() - begin);
      return 'done';
    } catch (error) {
      if (ctx.signal.aborted) throw abortError(ctx.signal, `compact ${job.tenant}`);
      if (error instanceof DiskShortage) return this.#noteShortage(job, error);
      this.#metrics.jobs.inc({ kind: job.kind, outcome: 'failed' });
      log.warn('a job of the compactor failed; everything else goes on', {
        job: job.id,
        error: messageOf(error),
      });
      if (error instanceof BlockFault && (await this.#damaged.suspect(ctx, job, error))) return 'damaged';
      this.#backoff.failed(job.id);
      this.progress.failures.set(job.id, messageOf(error));
      this.#metrics.failing.set(this.progress.failures.size);
      return 'failed';
    } finally {
      this.progress.running.delete(running);
    }
  }

  /** Not begun for want of disk, a job costs nothing to ask for again; broken off it waits as one that failed. */
  #noteShortage(job: CompactorJob, shortage: DiskShortage): JobOutcome {
    const isNew = !this.progress.shortages.has(job.id);
    this.progress.shortages.set(job.id, shortage.message);
    this.#metrics.jobs.inc({ kind: job.kind, outcome: 'no_disk' });
    this.#metrics.shortages.set(this.progress.shortages.size);
    if (isNew || shortage.hasBegun)
      this.#deps.log.warn('a job of the compactor waits for disk; everything else goes on', {
        job: job.id,
        error: shortage.message,
      });
    if (shortage.hasBegun) this.#backoff.failed(job.id);
    return 'no_disk';
  }

  async #finishJob(ctx: BucketContext, job: CompactorJob, report: JobReport, ms: number): Promise<void> {
    const { marker, log } = this.#deps;
    this.#backoff.succeeded(job.id);
    this.progress.shortages.delete(job.id);
    this.progress.failures.delete(job.id);
    this.progress.noteSpeed(report.bytesRead, ms);
    this.#metrics.jobs.inc({ kind: job.kind, outcome: 'done' });
    this.#metrics.jobSeconds.observe({ kind: job.kind }, ms / 1000);
    this.#metrics.bytesRead.inc(report.bytesRead);
    this.#metrics.samplesRead.inc(report.samplesRead);
    this.#metrics.samplesWritten.inc(report.samplesWritten);
    log.info('a job of the compactor is done', {
      kind: job.kind,
      tenant: job.tenant,
      blocks: job.blocks.length,
      into: report.outputs,
      samples: report.samplesWritten,
    });
    if (job.kind === 'downsample' && report.outputs.length === 0)
      await marker.mark(ctx, job.blocks[0].ref, 'no-downsample', { reason: 'no-samples' });
    // The next look finds sources that a result covers. Where nothing was left to write, nothing covers them.
    if (!report.keepsSources && report.outputs.length === 0)
      for (const { ref } of job.blocks)
        await marker.mark(ctx, ref, 'deletion', { details: 'compaction left no samples' });
  }

  #note(tenant: string, view: TenantBlocks, jobs: readonly CompactorJob[]): void {
    const { progress } = this;
    const { deletions } = this.#deps;
    progress.tenants.set(tenant, {
      jobs,
      quarantined: quarantinedOf(view.whole),
      deletions: neededDeletions(deletions.of(tenant), view.whole),
    });
    progress.forgetOthers(tenant, jobs);
    this.#metrics.shortages.set(progress.shortages.size);
    this.#metrics.failing.set(progress.failures.size);
    for (const kind of JOB_KINDS) {
      const todo = progress.todo(kind);
      this.#metrics.todoJobs.set({ kind }, todo.jobs);
      this.#metrics.todoBlocks.set({ kind }, todo.blocks);
      this.#metrics.todoBytes.set({ kind }, todo.bytes);
    }
    this.#metrics.eta.set(progress.etaSeconds(this.#options.concurrency) ?? 0);
  }
}

/** Deletion requests that a block is still to be rewritten for. */
function neededDeletions(requests: readonly DeletionRequest[], blocks: readonly BucketBlock[]): number {
  const kept = blocks.filter(({ marks }) => !marks.deletion);
  return requests.filter((request) => kept.some(({ meta }) => needsDeletion(meta, request))).length;
}

function quarantinedOf(blocks: readonly BucketBlock[]) {
  return blocks.flatMap(({ meta, marks }) =>
    marks.quarantine ? [{ ulid: meta.ulid, reason: marks.quarantine.details }] : [],
  );
}
