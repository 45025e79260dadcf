import type { BlockCatalog, BucketBlock, TenantBlocks } from '../blocks/block-catalog.ts';
import type { BlockMarker } from '../blocks/block-marker.ts';
import type { BucketIndexWriter } from '../blocks/bucket-index-writer.ts';
import { type DeletionRequest, needsDeletion } from '../blocks/deletion-request.ts';
import type { DeletionRequests } from '../blocks/deletion-requests.ts';
import { FINISHED_REQUESTS_MAX, idleDeletions } from '../blocks/deletion-requests.ts';
import { META_FILE } from '../blocks/layout.ts';
import { deletedTenants, readTenantDeletion } from '../blocks/tenant-deletion.ts';
import { UNFINISHED } from '../blocks/unfinished-marks.ts';
import { abortError, assertNotAborted, type Bucket, type BucketContext } from '../objstore/bucket.ts';
import { Gate } from '../objstore/gate.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import { BlockFault } from '../tsdb/compact/merge-source.ts';
import { Backoff } from './backoff.ts';
import { brokenBlocks, type Cleanup, metaProblem, planCleanup, type TenantCleanupRules } from './cleanup.ts';
import { type CompactorMetrics, compactorMetrics } from './compactor-metrics.ts';
import { deleteTenantData } from './delete-tenant.ts';
import { isUnreadable } from './diagnose-block.ts';
import { DiskShortage } from './disk-shortage.ts';
import { type CompactorJob, JOB_KINDS } from './job.ts';
import { makeJob } from './make-job.ts';
import type { Ownership } from './ownership.ts';
import { type CompactionPlan, planCompaction } from './plan.ts';
import { type DownsamplingRules, planDownsampling } from './plan-downsampling.ts';
import { planRewrites } from './plan-rewrites.ts';
import { Progress, type RunningJob } from './progress.ts';
import { expiredBlocks, type Retention } from './retention.ts';
import type { CompactionRules } from './rules.ts';
import type { JobProgress, JobReport } from './run-job.ts';
import { retentionRemovals, type SelectorRetention } from './selector-retention.ts';
import { dueDeletions } from './series-deletions.ts';

/** Where jobs are done: in this thread, or in others. */
export interface JobRunner {
  run(ctx: BucketContext, job: CompactorJob, onProgress: (progress: JobProgress) => void): Promise<JobReport>;
}

export interface CompactorOptions {
  readonly rules: CompactionRules;
  readonly cleanup: TenantCleanupRules;
  /** How long a tenant's blocks are kept; asked anew in every round. */
  readonly retentionOf?: (tenant: string) => Retention;
  /** Series that are kept shorter; asked anew in every round. */
  readonly selectorRetention?: readonly SelectorRetention[];
  /** Undefined: nothing is downsampled. */
  readonly downsampling?: DownsamplingRules | undefined;
  /** Jobs at once. */
  readonly concurrency: number;
  /** Between the end of a round and the next, ms. */
  readonly intervalMs: number;
}

export interface CompactorDeps {
  readonly bucket: Bucket;
  readonly catalog: BlockCatalog;
  readonly marker: BlockMarker;
  readonly deletions: DeletionRequests;
  readonly runner: JobRunner;
  readonly ownership: Ownership;
  /** Writes bucket indexes of tenants that are looked after; without it somebody else does. */
  readonly index?: BucketIndexWriter | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

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
/** A request that no block needs counts as waiting this long: blocks cut before it may still be on their way. */
const DELETION_KEPT_MS = 48 * 3_600_000;
/** A request is worked off when so many rounds in a row found no block that needs it: one listing may lag behind. */
const IDLE_LOOKS = 3;
/** Characters of a reason in a mark. */
const DETAILS_MAX = 1000;

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
  /** Blocks found damaged once; the second time they are set aside. */
  readonly #suspects = new Set<string>();
  /** By tenant, how many rounds in a row no block needed a request. */
  readonly #idleRequests = new Map<string, ReadonlyMap<string, number>>();
  #cancelTimer: (() => void) | undefined;
  #round: Promise<unknown> = Promise.resolve();

  constructor(options: CompactorOptions, deps: CompactorDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#metrics = compactorMetrics(deps.metrics);
    this.#backoff = new Backoff(deps.clock);
    this.#gate = new Gate(options.concurrency);
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
      log.warn('a round of the compactor broke off; the next one tries again', { error: text(error) });
    }
  }

  async #runTenant(
    ctx: BucketContext,
    tenant: string,
    isDeleted: boolean,
    report: { jobs: number; failures: number },
  ): Promise<void> {
    try {
      for (let pass = 0; pass < PASSES_MAX; pass++) {
        const view = await this.#deps.catalog.refresh(ctx, tenant, { full: true });
        if ((isDeleted || view.isTenantDeleted) && (await this.#deleteTenant(ctx, tenant, view))) return;
        const outcomes = await this.#runPass(ctx, tenant, view);
        report.jobs += outcomes.filter((outcome) => outcome === 'done').length;
        report.failures += outcomes.filter((outcome) => outcome !== 'done').length;
        if (outcomes.every((outcome) => outcome === 'failed' || outcome === 'no_disk')) break;
      }
      await this.#expire(ctx, tenant);
      await this.#cleanUp(ctx, tenant);
      await this.#writeIndex(ctx, tenant);
    } catch (error) {
      if (ctx.signal.aborted) throw abortError(ctx.signal, `compact ${tenant}`);
      report.failures++;
      this.#metrics.tenantFailures.inc();
      this.progress.tenants.set(tenant, { jobs: [], quarantined: [], problem: text(error) });
      this.#deps.log.warn('the blocks of a tenant could not be looked after', { tenant, error: text(error) });
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
      mine.map((job) => this.#gate.run(ctx.signal, `compact ${tenant}`, () => this.#runJob(ctx, job))),
    );
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
      log.warn('a job of the compactor failed; everything else goes on', { job: job.id, error: text(error) });
      if (error instanceof BlockFault && (await this.#suspect(ctx, job, error))) return 'damaged';
      this.#backoff.failed(job.id);
      this.progress.failures.set(job.id, text(error));
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

  /**
   * A block may have been damaged on its way here: only the second time in a row it is the block. False when nothing
   * changed, so that trying again at once is in vain.
   */
  async #suspect(ctx: BucketContext, job: CompactorJob, fault: BlockFault): Promise<boolean> {
    const block = job.blocks.find(({ ref }) => ref.ulid === fault.ulid);
    if (!block) return false;
    if (!this.#suspects.delete(fault.ulid)) {
      this.#suspects.add(fault.ulid);
      return true;
    }
    const repaired = await this.#tryRepair(ctx, job.tenant, fault.ulid);
    if (repaired !== 'cannot') return repaired === 'done';
    try {
      await this.#deps.marker.quarantine(ctx, block.ref, {
        reason: 'damaged',
        details: fault.message.slice(0, DETAILS_MAX),
        hidden: isUnreadable(fault),
      });
      this.#metrics.quarantined.inc();
      return true;
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      this.#deps.log.warn('a damaged block could not be set aside', { ulid: fault.ulid, error: text(error) });
      return false;
    }
  }

  /** Writes a damaged block anew, so that the next look finds the new one in its place. `later`: something else failed. */
  async #tryRepair(ctx: BucketContext, tenant: string, ulid: string): Promise<'done' | 'cannot' | 'later'> {
    const { catalog, log, runner } = this.#deps;
    const block = catalog.view(tenant).whole.find(({ meta }) => meta.ulid === ulid);
    if (!block) return 'later';
    const { resolutionMs } = block.meta;
    const shape = { kind: 'repair', resolutionMs, shards: 1, replicaLabels: [] } as const;
    try {
      const job = makeJob(tenant, [block], [], shape);
      const { outputs, keepsSources, repair } = await runner.run(ctx, job, () => {});
      if (keepsSources) return 'cannot';
      this.#metrics.repaired.inc();
      this.#metrics.jobs.inc({ kind: 'repair', outcome: 'done' });
      const found = repair?.diagnosis.findings.slice(0, 3);
      log.warn('a damaged block was written anew', {
        tenant,
        ulid,
        into: outputs,
        found,
        did: repair?.changes,
      });
      return 'done';
    } catch (error) {
      if (ctx.signal.aborted) throw error;
      this.#metrics.jobs.inc({ kind: 'repair', outcome: 'failed' });
      log.warn('a damaged block was not repaired', { tenant, ulid, error: text(error) });
      if (error instanceof BlockFault) return 'cannot';
      this.#suspects.add(ulid);
      return 'later';
    }
  }

  /** Whether the tenant is deleted; if so, removes what there is of it. */
  async #deleteTenant(ctx: BucketContext, tenant: string, view: TenantBlocks): Promise<boolean> {
    const { bucket, clock, marker, ownership, log } = this.#deps;
    const mark = await readTenantDeletion(ctx, bucket, tenant);
    if (!mark) return false;
    if (!ownership.ownsTenant(tenant)) return true;
    const times = { nowMs: clock.now(), cleanupDelayMs: this.#options.cleanup.tenantDelayMs };
    const { blocks, isOver } = await deleteTenantData(ctx, bucket, marker, tenant, view, mark, times);
    if (blocks > 0) log.info('blocks of a deleted tenant were removed', { tenant, blocks });
    if (isOver) log.info('a tenant is deleted; the mark is gone and it may begin anew', { tenant });
    this.#metrics.deleted.inc({ kind: 'block' }, blocks);
    this.progress.tenants.delete(tenant);
    return true;
  }

  async #expire(ctx: BucketContext, tenant: string): Promise<void> {
    const { catalog, clock, marker, ownership, log } = this.#deps;
    const { retentionOf, downsampling } = this.#options;
    if (!retentionOf || !ownership.ownsTenant(tenant)) return;
    const { whole } = catalog.view(tenant);
    const expired = expiredBlocks(whole, retentionOf(tenant), clock.now(), downsampling);
    for (const { block, held } of expired) {
      if (held) continue;
      await marker.mark(ctx, block.ref, 'deletion', { details: 'its retention is over' });
      this.#metrics.marked.inc({ reason: 'retention' });
    }
    const held = expired.filter((one) => one.held).length;
    if (held > 0) log.info('blocks stay beyond their retention until they are downsampled', { tenant, held });
  }

  async #cleanUp(ctx: BucketContext, tenant: string): Promise<void> {
    const { catalog, clock, ownership, log } = this.#deps;
    if (!ownership.ownsTenant(tenant)) return;
    for (const what of planCleanup(catalog.view(tenant), this.#options.cleanup, clock.now()))
      try {
        await this.#remove(ctx, what);
      } catch (error) {
        if (ctx.signal.aborted) throw error;
        log.warn('a block could not be removed', { tenant, ulid: what.ref.ulid, error: text(error) });
      }
    await this.#setBrokenAside(ctx, tenant);
    await this.#finishRequests(ctx, tenant);
  }

  /** As it is now that marks are set and blocks are gone: who reads the index takes its word. */
  async #writeIndex(ctx: BucketContext, tenant: string): Promise<void> {
    const { catalog, index, ownership } = this.#deps;
    if (!index?.isDue(tenant) || !ownership.ownsTenant(tenant)) return;
    const { whole } = await catalog.refresh(ctx, tenant, { full: true });
    await index.write(ctx, tenant, whole);
  }

  /** What seems left over is looked for once more: a listing that lags behind must not cost a block, or its marks. */
  async #remove(ctx: BucketContext, what: Cleanup): Promise<void> {
    const { bucket, marker } = this.#deps;
    const isThere = () => bucket.exists(ctx, `${what.ref.folder}/${META_FILE}`);
    if (what.kind !== 'block' && (await isThere())) return;
    if (what.kind === 'mark') await marker.unmark(ctx, what.ref, what.mark);
    else await marker.delete(ctx, what.ref, what.kind === 'partial' ? UNFINISHED : undefined);
    this.#metrics.deleted.inc({ kind: what.kind });
  }

  /** Blocks that nobody can read, since their `meta.json` is broken and has been for long. */
  async #setBrokenAside(ctx: BucketContext, tenant: string): Promise<void> {
    const { bucket, catalog, clock, log, marker } = this.#deps;
    for (const { ref } of brokenBlocks(catalog.view(tenant), this.#options.cleanup, clock.now()))
      try {
        const problem = await metaProblem(ctx, bucket, ref);
        if (problem === undefined) continue;
        await marker.quarantine(ctx, ref, {
          reason: 'damaged',
          details: `${UNFINISHED}: ${problem}`,
          hidden: true,
        });
        this.#metrics.quarantined.inc();
      } catch (error) {
        if (ctx.signal.aborted) throw error;
        log.warn('a damaged block could not be set aside', { tenant, ulid: ref.ulid, error: text(error) });
      }
  }

  /** Marks deletion requests that were worked off. Of these the oldest go when they become too many. */
  async #finishRequests(ctx: BucketContext, tenant: string): Promise<void> {
    const { catalog, clock, deletions, log } = this.#deps;
    const { whole } = catalog.view(tenant);
    const finished = new Set(deletions.finished(tenant));
    const idle = idleDeletions(deletions.of(tenant), whole, clock.now(), DELETION_KEPT_MS);
    const looks = new Map<string, number>();
    for (const { id } of idle.filter((request) => !finished.has(request))) {
      const count = (this.#idleRequests.get(tenant)?.get(id) ?? 0) + 1;
      if (count < IDLE_LOOKS) looks.set(id, count);
      else await deletions.finish(ctx, tenant, id);
    }
    this.#idleRequests.set(tenant, looks);
    const surplus = idle
      .filter((request) => finished.has(request))
      .slice(0, finished.size - FINISHED_REQUESTS_MAX);
    if (finished.size > FINISHED_REQUESTS_MAX)
      for (const { id } of surplus) {
        await deletions.remove(ctx, tenant, id);
        log.info('a deletion that was worked off long ago is forgotten, for there are many', {
          tenant,
          request: id,
        });
      }
    await deletions.removeLeftovers(ctx, tenant, DELETION_KEPT_MS);
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

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
