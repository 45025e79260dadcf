import type { BucketBlock } from '../blocks/block-catalog.ts';
import { type DeletionRequest, needsDeletion } from '../blocks/deletion-request.ts';
import type { CompactorJob, JobBlock, JobKind } from './job.ts';
import { groupLabels, replicaOf } from './rules.ts';
import { isRetentionId, needsRemoval } from './selector-retention.ts';

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
    appliedDeletions: appliedTo(blocks, jobBlocks),
  };
}

/** Whether a request, or a rule of retention, concerns a block. */
export function isNeeded(block: BucketBlock, request: DeletionRequest): boolean {
  return isRetentionId(request.id) ? needsRemoval(block, request) : needsDeletion(block.meta, request);
}

/**
 * What holds for the result: every request that any block had or gets, since the others did not need it; a rule of retention
 * only when all have it or get it, since a block that is too young for it now will need it later.
 */
function appliedTo(blocks: readonly BucketBlock[], jobBlocks: readonly JobBlock[]): string[] {
  const holds = (id: string) => (block: BucketBlock, i: number) =>
    block.meta.appliedDeletions.includes(id) || jobBlocks[i].deletions.includes(id);
  const all = new Set([
    ...blocks.flatMap(({ meta }) => meta.appliedDeletions),
    ...jobBlocks.flatMap(({ deletions }) => deletions),
  ]);
  return [...all].filter((id) => !isRetentionId(id) || blocks.every(holds(id))).sort();
}

function toJobBlock(
  block: BucketBlock,
  requests: readonly DeletionRequest[],
  replicaLabels: readonly string[],
): JobBlock {
  const { ref, meta, sizes } = block;
  return {
    ref,
    mint: meta.mint,
    maxt: meta.maxt,
    sizes,
    replica: replicaOf(meta.labels, replicaLabels),
    deletions: requests.filter((request) => isNeeded(block, request)).map(({ id }) => id),
  };
}
