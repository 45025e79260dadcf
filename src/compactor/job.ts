import type { DeletionRequest } from '../blocks/deletion-request.ts';
import type { BlockRef } from '../blocks/layout.ts';

/** One block that a job reads. */
export interface JobBlock {
  readonly ref: BlockRef;
  /** ms, the end exclusive. */
  readonly mint: number;
  readonly maxt: number;
  /** Object sizes by path within the block. */
  readonly sizes: ReadonlyMap<string, number>;
  /** Blocks with different texts are of different replicas. */
  readonly replica: string;
  /** Deletion requests that the block still needs, by id. */
  readonly deletions: readonly string[];
}

/**
 * `compact`: several blocks become one, or one per shard. `rewrite`: a block is written anew without what deletion requests
 * name. `downsample`: a block is made of a coarser one beside it, which stays. `repair`: a block that is not as it should be is
 * written anew, or its `meta.json` is.
 */
export type JobKind = (typeof JOB_KINDS)[number];
export const JOB_KINDS = ['compact', 'rewrite', 'downsample', 'repair'] as const;

/** What is to be made of some blocks of one tenant. Plain data: it can be sent to another thread. */
export interface CompactorJob {
  readonly kind: JobKind;
  /** The same for the same work in every process and round. */
  readonly id: string;
  readonly tenant: string;
  /** External labels of the result, without that of its shard. */
  readonly labels: Readonly<Record<string, string>>;
  /** The only replica that the result is of, when its labels do not say so any more. */
  readonly replica?: string;
  /** Of the result; 0 is raw. */
  readonly resolutionMs: number;
  /** Oldest first. */
  readonly blocks: readonly JobBlock[];
  /** Blocks the result is split into, by series. */
  readonly shards: number;
  /** Requests that any of the blocks needs. */
  readonly deletions: readonly DeletionRequest[];
  /** Requests that hold for the result when the job is done, by id. */
  readonly appliedDeletions: readonly string[];
}

/** Bytes that a job reads. */
export function jobBytes({ blocks }: { readonly blocks: readonly JobBlock[] }): number {
  let bytes = 0;
  for (const { sizes } of blocks) for (const size of sizes.values()) bytes += size;
  return bytes;
}
