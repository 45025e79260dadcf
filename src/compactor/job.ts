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
}

/** What is to be made of some blocks of one tenant. Plain data: it can be sent to another thread. */
export interface CompactionJob {
  /** The same for the same work in every process and round. */
  readonly id: string;
  readonly tenant: string;
  /** External labels of the result, without that of its shard. */
  readonly labels: Readonly<Record<string, string>>;
  /** Of the blocks read. */
  readonly resolutionMs: number;
  /** Oldest first. */
  readonly blocks: readonly JobBlock[];
  /** Blocks the result is split into, by series. */
  readonly shards: number;
}

/** Bytes that a job reads. */
export function jobBytes({ blocks }: { readonly blocks: readonly JobBlock[] }): number {
  let bytes = 0;
  for (const { sizes } of blocks) for (const size of sizes.values()) bytes += size;
  return bytes;
}
