import type { BucketBlock } from '../blocks/block-catalog.ts';
import { type DeletionRequest, needsDeletion } from '../blocks/deletion-request.ts';
import type { CompactorJob, JobBlock, JobKind } from './job.ts';
import { groupLabels, replicaOf } from './rules.ts';

/** What a job is, besides its blocks. */
export interface JobShape {
  readonly kind: JobKind;
  readonly resolutionMs: number;
  readonly shards: number;
  readonly replicaLabels: readonly string[];
}

/** A job over blocks of one group, oldest first, that applies what it can of `requests` on its way. */
export function makeJob(
  tenant: string,
  blocks: readonly BucketBlock[],
  requests: readonly DeletionRequest[],
  { kind, resolutionMs, shards, replicaLabels }: JobShape,
): CompactorJob {
  const jobBlocks = blocks.map((block) => toJobBlock(block, requests, replicaLabels));
  const needed = new Set(jobBlocks.flatMap(({ deletions }) => deletions));
  const deletions = requests.filter(({ id }) => needed.has(id));
  return {
    kind,
    // No two jobs of a plan begin with the same block.
    id: `${tenant}/${kind}/${blocks[0].meta.ulid}+${blocks.length - 1}`,
    tenant,
    labels: groupLabels(blocks[0].meta.labels, replicaLabels),
    resolutionMs,
    blocks: jobBlocks,
    shards,
    deletions,
    appliedDeletions: [
      ...new Set([...blocks.flatMap(({ meta }) => meta.appliedDeletions), ...needed]),
    ].sort(),
  };
}

function toJobBlock(
  { ref, meta, sizes }: BucketBlock,
  requests: readonly DeletionRequest[],
  replicaLabels: readonly string[],
): JobBlock {
  return {
    ref,
    mint: meta.mint,
    maxt: meta.maxt,
    sizes,
    replica: replicaOf(meta.labels, replicaLabels),
    deletions: requests.filter((request) => needsDeletion(meta, request)).map(({ id }) => id),
  };
}
