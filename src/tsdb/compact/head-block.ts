import type { Disk } from '../../platform/disk.ts';
import { type BlockChunk, BlockWriter } from '../block/block-writer.ts';
import type { BlockMeta } from '../block/meta.ts';
import { ChunkReader } from '../chunks/chunk-reader.ts';
import type { PageCache } from '../chunks/page-cache.ts';
import { clipChunk, mergeChunks } from '../head/clip-chunk.ts';
import { chunksOf, completeSlice } from '../head/complete-slice.ts';
import type { Head } from '../head/head.ts';
import type { HeadSlice } from '../head/head-slice.ts';
import type { ChunkPiece } from '../head/rare-series.ts';
import { nextTurn } from '../next-turn.ts';
import type { BlockMaker, BlockPlace } from './block-maker.ts';

/** Series written between two turns of the event loop. */
const SERIES_PER_TURN = 128;

/** Where a block goes and what time it covers: mint … maxt (ms), the end exclusive. */
export interface BlockTarget extends BlockPlace {
  readonly disk: Disk;
}

/** One block of a head being written from slices; closed chunks are read from `chunks_head/`. Knows no head: any thread can have one. */
export class HeadBlock {
  readonly #target: BlockTarget;
  readonly #writer: BlockWriter;
  readonly #chunks: ChunkReader;

  private constructor(target: BlockTarget, writer: BlockWriter, chunks: ChunkReader) {
    this.#target = target;
    this.#writer = writer;
    this.#chunks = chunks;
  }

  static async create(disk: Disk, cache: PageCache, place: BlockPlace): Promise<HeadBlock> {
    const target = { ...place, disk };
    const chunks = new ChunkReader(disk, `${place.dir}/chunks_head`, 'head', cache);
    return new HeadBlock(target, await BlockWriter.create(target), chunks);
  }

  async add(slice: HeadSlice): Promise<void> {
    const { mint, maxt } = this.#target;
    const batch = await completeSlice(slice, this.#chunks);
    for (let i = 0; i < batch.seriesCount; i++) {
      const labels = batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]);
      await addSeries(this.#writer, labels, chunksOf(batch, i), mint, maxt - 1);
      if (i % SERIES_PER_TURN === SERIES_PER_TURN - 1) await nextTurn();
    }
  }

  async finish(): Promise<BlockMeta | undefined> {
    await this.#chunks.close();
    return finishBlock(this.#writer, this.#target, []);
  }

  async abort(): Promise<void> {
    await this.#chunks.close();
    await this.#writer.abort();
  }
}

/**
 * Writes the head's samples in order between mint and maxt as a block, deleted ones left out, and reads it back; undefined
 * when there are none. The head changes meanwhile, but not in this range: nothing that old is accepted any more.
 */
export async function writeHeadBlock(
  head: Head,
  maker: BlockMaker,
  place: BlockPlace,
): Promise<BlockMeta | undefined> {
  const { mint, maxt } = place;
  const block = await maker.begin(place, head.seriesCount);
  const slices = head.gather({
    matchers: [],
    mint,
    maxt: maxt - 1,
    inOrderMint: mint,
    sorted: true,
    withoutLate: true,
  });
  try {
    for (let step = slices.next(); !step.done; step = slices.next()) {
      if (step.value !== undefined) await block.add(step.value);
      await nextTurn();
    }
    return await block.finish();
  } catch (error) {
    await block.abort();
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
