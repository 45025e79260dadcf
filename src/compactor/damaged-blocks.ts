import type { BlockCatalog } from '../blocks/block-catalog.ts';
import type { BlockMarker } from '../blocks/block-marker.ts';
import { messageOf } from '../model/errors.ts';
import type { BucketContext } from '../objstore/bucket.ts';
import type { Logger } from '../platform/log.ts';
import { BlockFault } from '../tsdb/compact/merge-source.ts';
import type { CompactorMetrics } from './compactor-metrics.ts';
import { isUnreadable } from './diagnose-block.ts';
import type { CompactorJob } from './job.ts';
import type { JobRunner } from './job-runner.ts';
import { makeJob } from './make-job.ts';

/** Characters of a reason in a mark. */
const DETAILS_MAX = 1000;

export interface DamagedBlocksDeps {
  readonly catalog: BlockCatalog;
  readonly marker: BlockMarker;
  readonly runner: JobRunner;
  readonly log: Logger;
}

/** What becomes of blocks that a job found damaged: written anew where that is safe, else set aside with the reason. */
export class DamagedBlocks {
  readonly #deps: DamagedBlocksDeps;
  readonly #metrics: CompactorMetrics;
  /** Blocks found damaged once; the second time they are set aside. */
  readonly #suspects = new Set<string>();

  constructor(deps: DamagedBlocksDeps, metrics: CompactorMetrics) {
    this.#deps = deps;
    this.#metrics = metrics;
  }

  /**
   * A block may have been damaged on its way here: only the second time in a row it is the block. False when nothing
   * changed, so that trying again at once is in vain.
   */
  async suspect(ctx: BucketContext, job: CompactorJob, fault: BlockFault): Promise<boolean> {
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
      this.#deps.log.warn('a damaged block could not be set aside', {
        ulid: fault.ulid,
        error: messageOf(error),
      });
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
      log.warn('a damaged block was not repaired', { tenant, ulid, error: messageOf(error) });
      if (error instanceof BlockFault) return 'cannot';
      this.#suspects.add(ulid);
      return 'later';
    }
  }
}
