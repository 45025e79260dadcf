import type { BucketBlock } from '../blocks/block-catalog.ts';
import { coveredBlocks } from '../blocks/covered-blocks.ts';
import { shardOf } from '../blocks/shard-label.ts';

/** When a local block is, and what it was made of. Raw, and read in any case. */
export interface LocalTime {
  readonly mint: number;
  /** Exclusive. */
  readonly maxt: number;
  readonly sources: readonly string[];
}

/** All that the choice looks at. */
export type HasMeta = Pick<BucketBlock, 'meta'>;

/** A block, and the part of it that is read: mint … maxt (ms, inclusive). */
export interface ChosenBlock<B extends HasMeta = BucketBlock> {
  readonly block: B;
  readonly mint: number;
  readonly maxt: number;
}

export interface ResolutionWish {
  /** The coarsest that will do, ms; 0 is raw. */
  readonly maxMs: number;
  /** Whether finer blocks come first and coarser ones fill their gaps. */
  readonly preferRaw?: boolean;
}

/**
 * The blocks to read for mint … maxt (ms, inclusive): the coarsest ones of a resolution that will do, finer ones where
 * these have gaps, without those that are served from the local disk, and without those whose data another
 * block in the bucket holds as well.
 *
 * A block is local when its own ULID is, or when every block it was compacted from is. One that is local only in part is
 * read: samples that come twice are merged by time, so nothing is counted twice, and nothing is missing. A block stands
 * in for one of another resolution, or for a coarser one of its own, in its time when both were made of some block in common.
 */
export function chooseBlocks<B extends HasMeta>(
  blocks: readonly B[],
  mint: number,
  maxt: number,
  localUlids: ReadonlySet<string>,
  { maxMs, preferRaw = false }: ResolutionWish = { maxMs: 0 },
  localBlocks: readonly LocalTime[] = [],
): readonly ChosenBlock<B>[] {
  const allowed = blocks.filter(({ meta }) => meta.resolutionMs <= maxMs);
  const covered = coveredBlocks(allowed.map(({ meta }) => meta));
  const uncovered = allowed.filter(({ meta }) => !covered.has(meta.ulid));
  const early = earlyShards(uncovered);
  const useful = uncovered.filter(
    ({ meta }) =>
      meta.mint <= maxt &&
      meta.maxt > mint &&
      !early.has(meta.ulid) &&
      !isLocal(meta.ulid, meta.sources, localUlids),
  );
  const sign = preferRaw ? 1 : -1;
  const chosen: ChosenBlock<B>[] = [];
  for (const block of useful.sort(
    (a, b) => sign * (a.meta.resolutionMs - b.meta.resolutionMs) || byVersion(a, b),
  )) {
    const before = chosen.map((other) => other.block.meta).filter((meta) => standsInFor(meta, block.meta));
    const local = localBlocks.filter((one) =>
      standsInFor({ ...one, resolutionMs: 0, labels: {} }, block.meta),
    );
    chosen.push(...withoutTimes(block, mint, maxt, [...before, ...local]));
  }
  return chosen;
}

/**
 * Shards that came before the rest of their set, which may never come: all they were made of is still read, so that they would
 * only show the same once more, perhaps under other external labels.
 */
function earlyShards(uncovered: readonly HasMeta[]): ReadonlySet<string> {
  const shards = uncovered.filter(({ meta }) => shardOf(meta.labels));
  const early = new Set<string>();
  if (shards.length === 0) return early;
  const holders = new Map<string, readonly string[]>();
  for (const { meta } of uncovered)
    if (!shardOf(meta.labels))
      for (const source of meta.sources) holders.set(`${meta.resolutionMs} ${source}`, meta.sources);
  for (const { meta } of shards) {
    const own = new Set(meta.sources);
    const isRead = (source: string) => {
      const all = holders.get(`${meta.resolutionMs} ${source}`);
      return all?.every((other) => own.has(other)) ?? false;
    };
    if (own.size > 0 && meta.sources.every(isRead)) early.add(meta.ulid);
  }
  return early;
}

/**
 * Of coarser blocks of the same time, the one to be read first. A smaller one that a larger one does not cover was made later,
 * of late samples too; the larger one knows nothing of them until it is made anew as well.
 */
function byVersion({ meta: a }: HasMeta, { meta: b }: HasMeta): number {
  if (a.resolutionMs === 0) return 0;
  return a.maxt - a.mint - (b.maxt - b.mint) || a.mint - b.mint || (a.ulid < b.ulid ? 1 : -1);
}

type Origin = Pick<BucketBlock['meta'], 'resolutionMs' | 'labels' | 'sources'>;

function standsInFor(other: Origin, meta: Origin): boolean {
  // Raw samples that come twice are one; windows that come twice would be added up.
  if (other.resolutionMs === meta.resolutionMs && meta.resolutionMs === 0) return false;
  const [a, b] = [shardOf(other.labels), shardOf(meta.labels)];
  if (a && b && (a.index !== b.index || a.count !== b.count)) return false;
  const sources = new Set(other.sources);
  return meta.sources.some((source) => sources.has(source));
}

/** The parts of a block that are left when the times of `others` are taken away, as far as they touch mint … maxt. */
function withoutTimes<B extends HasMeta>(
  block: B,
  mint: number,
  maxt: number,
  others: readonly { readonly mint: number; readonly maxt: number }[],
): ChosenBlock<B>[] {
  const { meta } = block;
  const parts: ChosenBlock<B>[] = [];
  let from = meta.mint;
  for (const taken of [...others].sort((a, b) => a.mint - b.mint)) {
    if (taken.mint > from) parts.push({ block, mint: from, maxt: Math.min(meta.maxt, taken.mint) - 1 });
    from = Math.max(from, taken.maxt);
  }
  if (from < meta.maxt || others.length === 0) parts.push({ block, mint: from, maxt: meta.maxt - 1 });
  return parts.filter((part) => part.mint <= maxt && part.maxt >= mint);
}

function isLocal(ulid: string, sources: readonly string[], localUlids: ReadonlySet<string>): boolean {
  return localUlids.has(ulid) || (sources.length > 0 && sources.every((source) => localUlids.has(source)));
}
