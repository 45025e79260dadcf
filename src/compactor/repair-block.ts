import type { IndexStats } from '../blocks/meta.ts';
import { VeronaError } from '../model/errors.ts';
import type { Disk } from '../platform/disk.ts';
import { type BlockCompaction, type BlockMeta, readMeta } from '../tsdb/block/meta.ts';
import { type MergeReport, mergeBlocks } from '../tsdb/compact/merge-blocks.ts';
import { BlockFault } from '../tsdb/compact/merge-source.ts';
import { resultCompaction } from './result-sources.ts';
import { verifyOutput } from './verify-output.ts';

/** The change that every repair is. */
export const REPAIR = 'repair';

export interface RepairRequest {
  readonly disk: Disk;
  /** Folder of the block, named by its ULID. */
  readonly source: string;
  readonly ulid: string;
  /** Its label of a shard; empty for a block of all series. */
  readonly shard: string;
  /** Where the new block goes, and its name. */
  readonly dir: string;
  readonly output: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

export interface RepairedBlock {
  readonly meta: BlockMeta;
  readonly indexStats: IndexStats;
  readonly samplesRead: number;
  /** What was done, in plain fragments. */
  readonly changes: readonly string[];
}

/**
 * Writes a block anew so that it is as it should be, and reads the result back. Safe is what loses no sample that a query of
 * the block's time could have seen: symbols, label names, series and chunks are put in order, series and chunks that are
 * there twice become one, chunks that overlap are merged as queries do, postings and counts are made anew, and chunks wholly
 * outside of the block's time, which no query of that time asks this block for, are left out. Throws `BlockFault` when that
 * is not enough: bytes that do not decode, files that are missing, deleted samples that could come back.
 */
export async function repairBlock(request: RepairRequest): Promise<RepairedBlock> {
  const { disk, source, ulid, dir, output, signal, onProgress } = request;
  try {
    const before = await readMeta(disk, source);
    const report = await mergeBlocks({
      disk,
      inputs: [{ dir: source, replica: 0 }],
      dir,
      ulids: [output],
      dedup: 'one-to-one',
      thanosOf: () => undefined,
      reorder: {},
      compaction: await sameKind(request, before),
      signal,
      ...(onProgress && { onProgress }),
    });
    const [meta] = report.outputs;
    if (!meta) throw new VeronaError('corrupt', 'no sample is left in its time');
    const indexStats = await verifyOutput(disk, `${dir}/${output}`, meta, signal);
    return { meta, indexStats, samplesRead: report.samplesRead, changes: changesOf(report) };
  } catch (error) {
    throw error instanceof VeronaError && error.code === 'corrupt' && !(error instanceof BlockFault)
      ? BlockFault.because(ulid, error)
      : error;
  }
}

/** One level up and with one change more, so that it counts before the old one; what kind of block it was (`hints`) it stays. */
async function sameKind(
  { disk, source, shard }: RepairRequest,
  { compaction: { hints } }: BlockMeta,
): Promise<BlockCompaction> {
  return { ...(await resultCompaction(disk, [source], [REPAIR], shard)), ...(hints && { hints }) };
}

function changesOf({ sorted, chunksMerged }: MergeReport): string[] {
  const { isSorted = true, joinedSeries = 0, outsideChunks = 0 } = sorted ?? {};
  return [
    ...(isSorted ? [] : ['symbols, labels or series were put in order']),
    ...(joinedSeries > 0 ? [`${joinedSeries} series that were there again were joined`] : []),
    ...(chunksMerged > 0 ? [`${chunksMerged} chunks that overlapped or were there twice were merged`] : []),
    ...(outsideChunks > 0 ? [`${outsideChunks} chunks outside of the block's time were left out`] : []),
    'index and counts were made anew',
  ];
}
