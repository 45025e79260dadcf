import type { TenantBlocks } from '../blocks/block-catalog.ts';
import { FINISHED_REQUESTS_MAX, idleDeletions } from '../blocks/deletion-requests.ts';
import { META_FILE } from '../blocks/layout.ts';
import { readTenantDeletion } from '../blocks/tenant-deletion.ts';
import { UNFINISHED } from '../blocks/unfinished-marks.ts';
import { messageOf } from '../model/errors.ts';
import type { BucketContext } from '../objstore/bucket.ts';
import { brokenBlocks, type Cleanup, metaProblem, planCleanup } from './cleanup.ts';
import type { CompactorMetrics } from './compactor-metrics.ts';
import type { CompactorDeps, CompactorOptions } from './compactor-options.ts';
import { deleteTenantData } from './delete-tenant.ts';
import type { Progress } from './progress.ts';
import { expiredBlocks } from './retention.ts';

/** A request that no block needs counts as waiting this long: blocks cut before it may still be on their way. */
const DELETION_KEPT_MS = 48 * 3_600_000;
/** A request is worked off when so many rounds in a row found no block that needs it: one listing may lag behind. */
const IDLE_LOOKS = 3;

/** What is done for a tenant besides jobs: expires blocks, removes what was marked long enough, ends deletions, deletes a tenant. */
export class TenantUpkeep {
  readonly #options: CompactorOptions;
  readonly #deps: CompactorDeps;
  readonly #metrics: CompactorMetrics;
  readonly #progress: Progress;
  /** By tenant, how many rounds in a row no block needed a request. */
  readonly #idleRequests = new Map<string, ReadonlyMap<string, number>>();

  constructor(options: CompactorOptions, deps: CompactorDeps, metrics: CompactorMetrics, progress: Progress) {
    this.#options = options;
    this.#deps = deps;
    this.#metrics = metrics;
    this.#progress = progress;
  }

  /**
   * Marks what is expired, removes what was marked long enough and what is left over, sets aside what nobody can read, completes marks, all by
   * the last look at the tenant.
   */
  async tidy(ctx: BucketContext, tenant: string): Promise<void> {
    if (!this.#deps.ownership.ownsTenant(tenant)) return;
    await this.#expire(ctx, tenant);
    await this.#removeWhatIsDue(ctx, tenant);
    await this.#setBrokenAside(ctx, tenant);
    await this.#completeMarks(ctx, tenant);
  }

  /** What is left to do when a round over the tenant's jobs is over. */
  async endRound(ctx: BucketContext, tenant: string): Promise<void> {
    await this.tidy(ctx, tenant);
    if (this.#deps.ownership.ownsTenant(tenant)) await this.#finishRequests(ctx, tenant);
    await this.#writeIndex(ctx, tenant);
  }

  /** Whether the tenant is deleted; if so, removes what there is of it. */
  async deleteTenant(ctx: BucketContext, tenant: string, view: TenantBlocks): Promise<boolean> {
    const { bucket, clock, marker, ownership, log } = this.#deps;
    const mark = await readTenantDeletion(ctx, bucket, tenant);
    if (!mark) return false;
    if (!ownership.ownsTenant(tenant)) return true;
    const times = { nowMs: clock.now(), cleanupDelayMs: this.#options.cleanup.tenantDelayMs };
    const { blocks, isOver } = await deleteTenantData(ctx, bucket, marker, tenant, view, mark, times);
    if (blocks > 0) log.info('blocks of a deleted tenant were removed', { tenant, blocks });
    if (isOver) log.info('a tenant is deleted; the mark is gone and it may begin anew', { tenant });
    this.#metrics.deleted.inc({ kind: 'block' }, blocks);
    this.#progress.tenants.delete(tenant);
    return true;
  }

  async #expire(ctx: BucketContext, tenant: string): Promise<void> {
    const { catalog, clock, marker, log } = this.#deps;
    const { retentionOf, downsampling } = this.#options;
    if (!retentionOf) return;
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

  async #removeWhatIsDue(ctx: BucketContext, tenant: string): Promise<void> {
    const { catalog, clock, log } = this.#deps;
    for (const what of planCleanup(catalog.view(tenant), this.#options.cleanup, clock.now()))
      try {
        await this.#remove(ctx, what);
      } catch (error) {
        if (ctx.signal.aborted) throw error;
        log.warn('a block could not be removed', { tenant, ulid: what.ref.ulid, error: messageOf(error) });
      }
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
        log.warn('a damaged block could not be set aside', {
          tenant,
          ulid: ref.ulid,
          error: messageOf(error),
        });
      }
  }

  /** A mark is two objects: who stored one of them may have failed before the other. */
  async #completeMarks(ctx: BucketContext, tenant: string): Promise<void> {
    const { catalog, log, marker } = this.#deps;
    for (const { ref, kind } of catalog.view(tenant).halfMarks)
      try {
        await marker.complete(ctx, ref, kind);
      } catch (error) {
        if (ctx.signal.aborted) throw error;
        log.warn('the copy of a mark could not be stored', {
          tenant,
          ulid: ref.ulid,
          error: messageOf(error),
        });
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
}
