import type { BucketBlock } from '../blocks/block-catalog.ts';
import type { DeletionRequest } from '../blocks/deletion-request.ts';
import type { CompactorJob } from './job.ts';
import { isNeeded, makeJob } from './make-job.ts';
import type { CompactionPlan } from './plan.ts';

/** Jobs that write anew what no job of `plan` reads and a deletion request still concerns. A damaged block stays as it is. */
export function planRewrites(
  tenant: string,
  blocks: readonly BucketBlock[],
  plan: CompactionPlan,
  requests: readonly DeletionRequest[],
): CompactorJob[] {
  const busy = new Set([
    ...plan.garbage.map(({ block }) => block.meta.ulid),
    ...plan.jobs.flatMap((job) => job.blocks.map(({ ref }) => ref.ulid)),
  ]);
  return blocks
    .filter(({ meta, marks }) => !marks.deletion && !marks.quarantine && !busy.has(meta.ulid))
    .filter((block) => requests.some((request) => isNeeded(block, request)))
    .map((block) =>
      makeJob(tenant, [block], requests, {
        kind: 'rewrite',
        resolutionMs: block.meta.resolutionMs,
        shards: 1,
        replicaLabels: [],
      }),
    );
}
