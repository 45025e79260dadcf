import type { BucketBlock } from '../blocks/block-catalog.ts';
import { coveredBlocks } from '../blocks/covered-blocks.ts';
import { SHARD_LABEL, shardOf } from '../blocks/shard-label.ts';
import { SourceExtents, type SourceHolder } from '../blocks/source-extents.ts';
import { type Answer, answeringBlocks, type Candidate } from './answering-blocks.ts';

/** When a local block is, and what it was made of. Raw, and read in any case. */
export interface LocalTime {
  readonly mint: number;
  /** Exclusive. */
  readonly maxt: number;
  readonly sources: readonly string[];
}

/** All that the choice looks at. */
export type HasMeta = Pick<BucketBlock, 'meta' | 'seriesLabels'>;

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
  /** The coarsest that comes before finer ones, ms; those up to `maxMs` only fill gaps. `maxMs` when absent. */
  readonly bestMs?: number;
  /** Whether nobody is told that samples lie too far apart: other queriers take a warning for data that are missing. */
  readonly isQuiet?: boolean;
}

/**
 * The blocks to read for mint … maxt (ms, inclusive): the coarsest ones of a resolution that will do, finer ones where
 * these have gaps or lack a source, without those that are served from the local disk, and without those whose data another
 * block in the bucket holds as well. Which of several answer for a time is told by `answeringBlocks`.
 *
 * A block is local when its own ULID is, or when every block it was compacted from is. One that is local only in part is
 * read when it is raw: samples that come twice are merged by time, so nothing is counted twice, and nothing is missing.
 */
export function chooseBlocks<B extends HasMeta>(
  blocks: readonly B[],
  mint: number,
  maxt: number,
  localUlids: ReadonlySet<string>,
  wish: ResolutionWish = { maxMs: 0 },
  localBlocks: readonly LocalTime[] = [],
): readonly ChosenBlock<B>[] {
  const allowed = blocks.filter(({ meta }) => meta.resolutionMs <= wish.maxMs);
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
  if (useful.every(({ meta }) => meta.resolutionMs === 0))
    return useful.map((block) => ({ block, mint: block.meta.mint, maxt: block.meta.maxt - 1 }));
  const extents = new SourceExtents([...blocks.map(({ meta }) => meta), ...localBlocks.map(asHolder)]);
  const order = (a: ChosenBlock<B>, b: ChosenBlock<B>) =>
    (wish.preferRaw ? 1 : -1) * (a.block.meta.resolutionMs - b.block.meta.resolutionMs) || a.mint - b.mint;
  return stretchesOf(useful, localBlocks, extents, wish)
    .filter((part) => part.mint <= maxt && part.maxt >= mint)
    .sort(order);
}

/** Whether coarser blocks were chosen for the same time, which have no source in common: their windows are to be added up. */
export function haveWindowsToAdd(chosen: readonly ChosenBlock<HasMeta>[]): boolean {
  const coarse = chosen.filter(({ block }) => block.meta.resolutionMs > 0).sort((a, b) => a.mint - b.mint);
  let end = Number.NEGATIVE_INFINITY;
  return coarse.some(({ mint, maxt }) => {
    const overlaps = mint <= end;
    end = Math.max(end, maxt);
    return overlaps;
  });
}

/** Between two bounds of blocks nothing changes: each such stretch is decided for itself. */
function stretchesOf<B extends HasMeta>(
  useful: readonly B[],
  localBlocks: readonly LocalTime[],
  extents: SourceExtents,
  { preferRaw = false, bestMs }: ResolutionWish,
): ChosenBlock<B>[] {
  // Windows are read as wholes, so that blocks begin and end where those of the coarsest one do.
  const gridMs = Math.max(...useful.map(({ meta }) => meta.resolutionMs));
  const found = [...useful.map((block) => candidateOf(block, gridMs))];
  const fixed = localBlocks.map((local) => fixedOf(local, gridMs));
  const all = [...found, ...fixed].sort((a, b) => a.from - b.from);
  const bounds = [...new Set(all.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b);
  const parts = new Map<B, ChosenBlock<B>[]>();
  let present: typeof all = [];
  for (let i = 0, next = 0; i + 1 < bounds.length; i++) {
    const [from, to] = [bounds[i], bounds[i + 1]];
    present = present.filter((one) => one.to > from);
    for (; next < all.length && all[next].from <= from; next++)
      if (all[next].to > from) present.push(all[next]);
    for (const part of answerStretch(present, { from, to }, { extents, gridMs, preferRaw, bestMs }))
      for (const { block } of part.blocks) addPart(parts, block, part.from, part.to - 1);
  }
  return [...parts.values()].flat();
}

/** A stretch of time, ms, the end exclusive. */
interface Span {
  readonly from: number;
  readonly to: number;
}

interface HowToChoose {
  readonly extents: SourceExtents;
  readonly gridMs: number;
  readonly preferRaw: boolean;
  readonly bestMs: number | undefined;
}

/**
 * What answers for a stretch. Where that lacks something, the stretch is cut where the times of sources begin and end: blocks
 * that have a source in common may each answer for a time at which it has no samples.
 */
function answerStretch<B extends HasMeta>(
  present: readonly (Found<B> | Present)[],
  span: Span,
  how: HowToChoose,
): (Span & { readonly blocks: readonly Found<B>[] })[] {
  const whole = answerSpan(present, span, how);
  if (whole.isWhole) return [{ ...span, blocks: whole.blocks }];
  const cuts = cutsWithin(present, span, how);
  if (cuts.length === 0) return [{ ...span, blocks: whole.blocks }];
  return [span.from, ...cuts].map((from, i) => {
    const part = { from, to: cuts[i] ?? span.to };
    return { ...part, blocks: answerSpan(present, part, how).blocks };
  });
}

function answerSpan<B extends HasMeta>(
  present: readonly (Found<B> | Present)[],
  { from, to }: Span,
  { extents, preferRaw, bestMs }: HowToChoose,
): Answer<Found<B>> {
  const isFound = (one: Found<B> | Present): one is Found<B> => 'block' in one;
  return answeringBlocks({
    blocks: present.filter(isFound),
    fixed: present.filter((one) => !isFound(one)),
    extentOf: (source) => {
      const extent = extents.of(source);
      return extent && extent.mint < to && extent.maxt > from ? extent.maxt - extent.mint : undefined;
    },
    preferRaw,
    ...(bestMs !== undefined && { bestMs }),
  });
}

function cutsWithin(
  present: readonly Candidate[],
  { from, to }: Span,
  { extents, gridMs }: HowToChoose,
): number[] {
  const sources = new Set(present.flatMap((one) => one.sources));
  const bounds = [...sources].flatMap((source) => {
    const extent = extents.of(source);
    return extent ? Object.values(onGrid(extent.mint, extent.maxt, gridMs)) : [];
  });
  return [...new Set(bounds)].filter((bound) => bound > from && bound < to).sort((a, b) => a - b);
}

interface Present extends Candidate {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

interface Found<B> extends Present {
  readonly block: B;
}

function candidateOf<B extends HasMeta>(block: B, gridMs: number): Found<B> {
  const { ulid, mint, maxt, resolutionMs, labels, sources } = block.meta;
  const { [SHARD_LABEL]: _, ...others } = block.seriesLabels ?? {};
  return {
    block,
    ...onGrid(mint, maxt, gridMs),
    resolutionMs,
    labels: others,
    shard: shardOf(labels),
    sources: sources.length > 0 ? sources : [ulid],
  };
}

function fixedOf({ mint, maxt, sources }: LocalTime, gridMs: number): Present {
  return { ...onGrid(mint, maxt, gridMs), resolutionMs: 0, labels: {}, shard: undefined, sources };
}

function onGrid(mint: number, maxt: number, gridMs: number): { readonly from: number; readonly to: number } {
  return { from: Math.floor(mint / gridMs) * gridMs, to: Math.ceil(maxt / gridMs) * gridMs };
}

function asHolder(local: LocalTime): SourceHolder {
  return { ...local, ulid: '' };
}

function addPart<B extends HasMeta>(
  parts: Map<B, ChosenBlock<B>[]>,
  block: B,
  from: number,
  to: number,
): void {
  const { meta } = block;
  const own = parts.get(block) ?? [];
  parts.set(block, own);
  const last = own.at(-1);
  const maxt = Math.min(to, meta.maxt - 1);
  if (last && last.maxt === from - 1) own[own.length - 1] = { ...last, maxt };
  else own.push({ block, mint: Math.max(from, meta.mint), maxt });
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

function isLocal(ulid: string, sources: readonly string[], localUlids: ReadonlySet<string>): boolean {
  return localUlids.has(ulid) || (sources.length > 0 && sources.every((source) => localUlids.has(source)));
}
