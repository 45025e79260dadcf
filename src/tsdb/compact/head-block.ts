import type { Disk } from '../../platform/disk.ts';
import { type BlockChunk, BlockWriter } from '../block/block-writer.ts';
import type { BlockMeta } from '../block/meta.ts';
import { clipChunk, mergeChunks } from '../head/clip-chunk.ts';
import { chunksOf, completeSlice } from '../head/complete-slice.ts';
import type { Head } from '../head/head.ts';
import type { ChunkPiece } from '../head/rare-series.ts';
import { nextTurn } from '../next-turn.ts';

/** Series written between two turns of the event loop. */
const SERIES_PER_TURN = 128;

/** Where a block goes and what time it covers: mint … maxt (ms), the end exclusive. */
export interface BlockTarget {
  readonly disk: Disk;
  readonly dir: string;
  readonly ulid: string;
  readonly mint: number;
  readonly maxt: number;
}

/**
 * Writes the head's samples in order between mint and maxt as a block, deleted ones left out; undefined when there are
 * none. The head changes meanwhile, but not in this range: nothing that old is accepted any more.
 */
export async function writeHeadBlock(head: Head, target: BlockTarget): Promise<BlockMeta | undefined> {
  const { mint } = target;
  const maxt = target.maxt - 1;
  const writer = await BlockWriter.create(target);
  const slices = head.gather({
    matchers: [],
    mint,
    maxt,
    inOrderMint: mint,
    sorted: true,
    withoutLate: true,
  });
  try {
    for (let step = slices.next(); !step.done; step = slices.next()) {
      if (step.value !== undefined) {
        const batch = await completeSlice(step.value, head.chunkReader);
        for (let i = 0; i < batch.seriesCount; i++) {
          const labels = batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]);
          await addSeries(writer, labels, chunksOf(batch, i), mint, maxt);
          if (i % SERIES_PER_TURN === SERIES_PER_TURN - 1) await nextTurn();
        }
      }
      await nextTurn();
    }
    return await finishBlock(writer, target, []);
  } catch (error) {
    await writer.abort();
    throw error;
  } finally {
    slices.return();
  }
}

/** Completes the block unless it is empty. */
export async function finishBlock(
  writer: BlockWriter,
  { ulid, mint, maxt }: BlockTarget,
  hints: readonly string[],
): Promise<BlockMeta | undefined> {
  if (writer.seriesCount === 0) {
    await writer.abort();
    return undefined;
  }
  const compaction = { level: 1, sources: [ulid], ...(hints.length > 0 && { hints }) };
  return writer.finish({ minTime: mint, maxTime: maxt, compaction });
}

/** Adds what the chunks have between mint and maxt (inclusive), without overlap. */
export async function addSeries(
  writer: BlockWriter,
  labelBytes: Uint8Array,
  chunks: readonly ChunkPiece[],
  mint: number,
  maxt: number,
): Promise<void> {
  const whole = overlaps(chunks) ? mergeChunks(chunks) : chunks;
  const clipped = whole.flatMap((chunk) => clipChunk(chunk, mint, maxt, []));
  if (clipped.length > 0) await writer.addSeries(labelBytes, clipped.map(toBlockChunk));
}

function overlaps(chunks: readonly ChunkPiece[]): boolean {
  for (let i = 1; i < chunks.length; i++) if (chunks[i].mint <= chunks[i - 1].maxt) return true;
  return false;
}

function toBlockChunk({ mint, maxt, encoding, bytes }: ChunkPiece): BlockChunk {
  return { mint, maxt, encoding, data: bytes };
}
