import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import { refSequence } from '../chunks/chunk-format.ts';
import { nextTurn } from '../next-turn.ts';
import { deleteCheckpoints, writeCheckpoint } from '../wal/checkpoint.ts';
import type { WalCompression } from '../wal/compression.ts';
import { findLastCheckpoint, listSegments } from '../wal/segments.ts';
import type { Wal } from '../wal/wal.ts';
import type { ClosedChunks } from './closed-chunks.ts';
import type { Deletions } from './deletions.ts';
import type { HeadMetrics } from './head-metrics.ts';
import type { HeadStore } from './head-store.ts';
import { RefSlots } from './ref-slots.ts';
import { runYielding, SLICE_WORK } from './slices.ts';

export interface CutOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly log: Logger;
  readonly wal: Wal;
  readonly compression: WalCompression | undefined;
  readonly store: HeadStore;
  readonly closed: ClosedChunks;
  readonly deletions: Deletions;
  readonly collectedRefs: Map<number, number>;
  /** Numbers besides their own under which the log has samples of series, by slot. */
  readonly aliases: Map<number, ReadonlySet<number>>;
  /** What ends before this (ms) is in a block. */
  readonly mint: number;
  readonly noteCollected: (slot: number) => void;
  readonly metrics: HeadMetrics;
}

/**
 * Forgets what is in a block: chunks before `mint`, series without samples, then the log and the files of closed chunks
 * that only had such. The order makes a crash at any point harmless: at the next start `mint` is known from the block,
 * and what is still on disk but older is skipped.
 */
export async function cutHead(
  options: CutOptions & { readonly blocksEnd: number },
): Promise<{ readonly oldestChunkFile: number }> {
  await collectSeries(options);
  const { deletions, store, mint, blocksEnd } = options;
  // Late samples and chunks that reach over `mint` may be older, and what was deleted of them must stay so; so must what is
  // after the newest block, where the next start begins to look for closed chunks.
  const deletedFrom = Math.min(mint, blocksEnd, store.late.range().mint, store.timeRange().mint);
  deletions.truncate(deletedFrom);
  options.metrics.truncations.inc();
  const keepsDeletions = blocksEnd < mint || !deletions.isEmpty;
  await cutLog({ ...options, mint: keepsDeletions ? deletedFrom : mint });
  return { oldestChunkFile: await cutChunkFiles(options) };
}

/** Series without samples go, those that got one meanwhile excepted. Sliced. */
export async function collectSeries({
  store,
  mint,
  collectedRefs,
  aliases,
  wal,
  ...options
}: CutOptions): Promise<void> {
  const candidates = store.truncate(mint);
  if (candidates.length === 0) return;
  const lists = await runYielding(store.table.findLists(candidates), nextTurn);
  const free = (slot: number): boolean => {
    if (!store.isEmpty(slot)) return false;
    for (const ref of [store.memory.walRefOf(slot), ...(aliases.get(slot) ?? [])])
      collectedRefs.set(ref, wal.position.segment);
    aliases.delete(slot);
    options.deletions.removeSlot(slot);
    options.noteCollected(slot);
    store.collect(slot);
    return true;
  };
  const count = await runYielding(store.table.collect(candidates, lists, free), nextTurn);
  options.metrics.series.dec(count);
  options.metrics.seriesCollected.inc(count);
}

/**
 * Replaces the older two thirds of the log by a checkpoint with the series in use and samples since `mint`, as
 * Prometheus does: one third stays so that not everything is rewritten each time.
 */
async function cutLog({
  disk,
  dir,
  wal,
  store,
  collectedRefs,
  aliases,
  mint,
  log,
  compression,
}: CutOptions): Promise<void> {
  const walDir = `${dir}/wal`;
  await wal.nextSegment();
  const before = await findLastCheckpoint(disk, walDir);
  if (before) await finishCut(disk, walDir, wal, before.index);
  const segments = await listSegments(disk, walDir);
  const first = segments[0].index;
  // The segment being written is never part of it.
  const last = segments[segments.length - 1].index - 1;
  if (last < first) return;
  const to = first + Math.floor(((last - first) * 2) / 3);
  if (to <= first) return;
  const live = await liveRefs(store, aliases);
  const result = await writeCheckpoint({
    disk,
    dir: walDir,
    from: first,
    to,
    keep: (ref) => live.get(ref) !== 0 || (collectedRefs.get(ref) ?? -1) > to,
    mint,
    compression,
  });
  await finishCut(disk, walDir, wal, to);
  for (const [ref, segment] of collectedRefs) if (segment <= to) collectedRefs.delete(ref);
  const { damages, unknownRecords } = result;
  if (damages.length > 0 || unknownRecords > 0)
    log.warn('parts of the write-ahead log could not be read and are not in its checkpoint', {
      checkpoint: to,
      damages: damages.length,
      unknownRecords,
    });
  log.info('the write-ahead log was cut', { checkpoint: to, series: result.seriesKept });
}

/** Removes what the checkpoint of segment `to` stands for; also what a cut that broke off left of it. */
async function finishCut(disk: Disk, walDir: string, wal: Wal, to: number): Promise<void> {
  // The process may have died between its rename and this.
  await disk.syncDir(walDir);
  await wal.truncate(to + 1);
  await deleteCheckpoints(disk, walDir, to);
}

/** All numbers of the series that there are now; later ones are in later segments. */
async function liveRefs(store: HeadStore, aliases: CutOptions['aliases']): Promise<RefSlots> {
  const refs = new RefSlots();
  for (const [slot, others] of aliases) for (const ref of others) refs.set(ref, slot);
  const slots = store.table.index.all().slice();
  for (const [i, slot] of slots.entries()) {
    refs.set(store.memory.walRefOf(slot), slot);
    if (i % SLICE_WORK === SLICE_WORK - 1) await nextTurn();
  }
  return refs;
}

/** Removes files of closed chunks before the oldest chunk still in use. Series are collected by nobody else meanwhile. */
async function cutChunkFiles({ store, closed }: CutOptions): Promise<number> {
  const all = store.table.index.all().slice();
  let oldest = closed.sequence;
  for (let at = 0; at < all.length; at += 1000) {
    const { chunkRef } = store.memory.gather(all.subarray(at, at + 1000), -Infinity, Infinity);
    for (const ref of chunkRef) if (ref >= 0) oldest = Math.min(oldest, refSequence(ref));
    await nextTurn();
  }
  await closed.truncate(oldest);
  return oldest;
}
