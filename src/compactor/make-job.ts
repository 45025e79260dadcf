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
  const labels = groupLabels(blocks[0].meta.labels, replicaLabels);
  const common = kind === 'compact' ? commonReplica(jobBlocks) : blocks[0].meta.replica;
  const replica = common === replicaOf(labels, replicaLabels) ? undefined : common;
  return {
    kind,
    // No two jobs of a plan begin with the same block.
    id: `${tenant}/${kind}/${blocks[0].meta.ulid}+${blocks.length - 1}`,
    tenant,
    labels,
    ...(replica !== undefined && { replica }),
    resolutionMs,
    blocks: jobBlocks,
    shards,
    deletions,
    appliedDeletions: appliedTo(blocks, jobBlocks, requests),
  };
}

/** What was joined of one replica is still of that one for what comes later: a late block of it has no rival. */
function commonReplica([first, ...others]: readonly JobBlock[]): string | undefined {
  return others.every(({ replica }) => replica === first.replica) ? first.replica : undefined;
}

/** Whether a request, or a rule of retention, concerns a block. */
export function isNeeded(block: BucketBlock, request: DeletionRequest): boolean {
  return isRetentionId(request.id) ? needsRemoval(block, request) : needsDeletion(block.meta, request);
}

/**
 * What holds for the result: a request that every block had or gets or, for all that is known of it, does not need, since the
 * result is as old as its oldest source and would need it for samples that came after it. A request that is not known, or not due
 * by this clock, may concern the blocks that do not say they had it. A rule of retention must be had by all, since a block that
 * is too young for it now will need it later.
 */
function appliedTo(
  blocks: readonly BucketBlock[],
  jobBlocks: readonly JobBlock[],
  requests: readonly DeletionRequest[],
): string[] {
  const known = new Set(requests.map(({ id }) => id).filter((id) => !isRetentionId(id)));
  const holds = (id: string) => (block: BucketBlock, i: number) =>
    known.has(id) || block.meta.appliedDeletions.includes(id) || jobBlocks[i].deletions.includes(id);
  const all = new Set([
    ...requests
      .filter((request) => !isRetentionId(request.id) && isNeededTogether(blocks, request))
      .map(({ id }) => id),
    ...blocks.flatMap(({ meta }) => meta.appliedDeletions),
    ...jobBlocks.flatMap(({ deletions }) => deletions),
  ]);
  return [...all].filter((id) => blocks.every(holds(id))).sort();
}

/** Whether a block made of these would need a request that was not applied to it. */
function isNeededTogether(blocks: readonly BucketBlock[], request: DeletionRequest): boolean {
  const joined = {
    mint: Math.min(...blocks.map(({ meta }) => meta.mint)),
    maxt: Math.max(...blocks.map(({ meta }) => meta.maxt)),
    ulid: blocks[0].meta.ulid,
    sources: blocks.flatMap(({ meta }) => (meta.sources.length > 0 ? meta.sources : [meta.ulid])),
    appliedDeletions: [],
  };
  return needsDeletion(joined, request);
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
    replica: meta.replica ?? replicaOf(meta.labels, replicaLabels),
    deletions: requests.filter((request) => isNeeded(block, request)).map(({ id }) => id),
  };
}
