import type { Disk } from '../../platform/disk.ts';
import { MergedSymbols } from '../index/merged-symbols.ts';
import { SeriesCursor } from '../index/series-cursor.ts';
import { nextTurn } from '../next-turn.ts';
import type { SeriesDeletions } from './merge-blocks.ts';
import { faultOf, MergeSource } from './merge-source.ts';

const SERIES_PER_TURN = 4096;
const decoder = new TextDecoder();

/**
 * Whether a block has chunks that `deletions` (of input 0) touch. Reads `meta.json`, `tombstones` and `index` in `dir`, no
 * chunks. Throws `BlockFault`.
 */
export async function hasDeletedChunks(
  disk: Disk,
  dir: string,
  ulid: string,
  deletions: SeriesDeletions,
): Promise<boolean> {
  let source: MergeSource | undefined;
  try {
    source = await MergeSource.open(disk, dir, { order: 0, count: 1, replica: 0 });
    return await scan(source, deletions);
  } catch (error) {
    throw faultOf(ulid, error);
  } finally {
    await source?.close();
  }
}

async function scan(source: MergeSource, deletions: SeriesDeletions): Promise<boolean> {
  const symbols = new MergedSymbols([source.index], [source.toc.symbols]);
  const cursor = new SeriesCursor(source.index, source.toc, symbols.ranks[0]);
  for (let i = 1; cursor.next(); i++) {
    const labels = Array.from(cursor.labels.subarray(0, 2 * cursor.labelCount), (rank) =>
      decoder.decode(symbols.bytesOf(rank)),
    );
    const gaps = deletions(labels)?.[0] ?? [];
    for (let c = 0; c < cursor.chunkCount; c++)
      if (gaps.some(({ mint, maxt }) => mint <= cursor.maxt[c] && maxt >= cursor.mint[c])) return true;
    if (i % SERIES_PER_TURN === 0) await nextTurn();
  }
  return false;
}
