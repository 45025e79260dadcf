/**
 * External label of a block that holds one shard of the series of its time, as Mimir has it: `2_of_4`. Shards count from 1.
 * It keeps every reader that compares external labels from taking one shard for the copy of another.
 */
export const SHARD_LABEL = '__compactor_shard_id__';

export interface BlockShard {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

export function shardText({ index, count }: BlockShard): string {
  return `${index + 1}_of_${count}`;
}

/** Undefined for a block that holds all series of its time. */
export function shardOf(labels: Readonly<Record<string, string>>): BlockShard | undefined {
  const found = /^(\d{1,6})_of_(\d{1,6})$/.exec(labels[SHARD_LABEL] ?? '');
  if (!found) return undefined;
  const [index, count] = [Number(found[1]) - 1, Number(found[2])];
  return index >= 0 && index < count ? { index, count } : undefined;
}
