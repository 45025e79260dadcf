import type { BucketBlock } from '../blocks/block-catalog.ts';
import type { DeletionRequest } from '../blocks/deletion-request.ts';
import { type BlockShard, SHARD_LABEL, shardOf } from '../blocks/shard-label.ts';
import type { CompactorJob } from './job.ts';
import { makeJob } from './make-job.ts';

/** Shards that become blocks of all series again, and those that cannot since others of their set are missing. */
export interface UnsplitPlan {
  readonly jobs: readonly CompactorJob[];
  readonly left: readonly BucketBlock[];
}

interface ShardBlock {
  readonly block: BucketBlock;
  readonly shard: BlockShard;
}

/**
 * Joins all shards of a time, for programs that know nothing of shards and show their label on series. `blocks` hold nothing
 * that others of them hold as well. What is joined is at least a set of shards with the same sources; where some of them were joined
 * with their like of other times and others were not, all that are connected by their times.
 */
export function planUnsplit(
  tenant: string,
  blocks: readonly BucketBlock[],
  requests: readonly DeletionRequest[],
): UnsplitPlan {
  const shards = blocks.flatMap((block) => {
    const shard = shardOf(block.meta.labels);
    return shard ? [{ block, shard }] : [];
  });
  const groups = Map.groupBy(shards, ({ block: { meta }, shard }) =>
    JSON.stringify([meta.resolutionMs, shard.count, Object.entries(labelsOf(meta.labels)).sort()]),
  );
  const clusters = [...groups.values()].flatMap(clustersOf);
  const able = clusters.filter(isComplete);
  const left = clusters.filter((cluster) => !able.includes(cluster));
  return {
    jobs: able.map((cluster) => jobOf(tenant, cluster, requests)),
    left: left.flat().map(({ block }) => block),
  };
}

function jobOf(
  tenant: string,
  cluster: readonly ShardBlock[],
  requests: readonly DeletionRequest[],
): CompactorJob {
  const blocks = cluster.map(({ block }) => block);
  const { resolutionMs, labels } = blocks[0].meta;
  const shape = { kind: 'compact', resolutionMs, shards: 1, replicaLabels: [] } as const;
  return { ...makeJob(tenant, blocks, requests, shape), labels: labelsOf(labels) };
}

function labelsOf(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { [SHARD_LABEL]: _, ...others } = labels;
  return others;
}

/** Blocks that are connected by their times, oldest first. */
function clustersOf(group: readonly ShardBlock[]): ShardBlock[][] {
  const clusters: ShardBlock[][] = [];
  let end = Number.NEGATIVE_INFINITY;
  for (const one of [...group].sort((a, b) => a.block.meta.mint - b.block.meta.mint)) {
    if (one.block.meta.mint >= end) clusters.push([]);
    clusters.at(-1)?.push(one);
    end = Math.max(end, one.block.meta.maxt);
  }
  return clusters;
}

/** Whether every shard is there with the same sources; aggregates of one shard must not be of the same time. */
function isComplete(cluster: readonly ShardBlock[]): boolean {
  const byIndex = Map.groupBy(cluster, ({ shard }) => shard.index);
  if (byIndex.size < cluster[0].shard.count) return false;
  const sets = [...byIndex.values()].map((own) =>
    [...new Set(own.flatMap(({ block: { meta } }) => meta.sources))].sort().join(),
  );
  const isFree = ({ block: { marks } }: ShardBlock) => !marks['no-compact'] && !marks.quarantine;
  return new Set(sets).size === 1 && cluster.every(isFree) && [...byIndex.values()].every(canJoin);
}

function canJoin(own: readonly ShardBlock[]): boolean {
  return own.every(
    ({ block: { meta } }, i) => meta.resolutionMs === 0 || i === 0 || meta.mint >= own[i - 1].block.meta.maxt,
  );
}
