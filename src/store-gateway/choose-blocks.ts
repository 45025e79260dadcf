import type { BucketBlock } from '../blocks/block-catalog.ts';
import { coveredBlocks } from '../blocks/covered-blocks.ts';

/**
 * The blocks to read for mint … maxt (ms, inclusive): raw ones that touch the range, without those that are served
 * from the local disk, and without those whose data another block in the bucket holds as well.
 *
 * A block is local when its own ULID is, or when every block it was compacted from is. One that is local only in part is
 * read: samples that come twice are merged by time, so nothing is counted twice, and nothing is missing.
 */
export function chooseBlocks(
  blocks: readonly BucketBlock[],
  mint: number,
  maxt: number,
  localUlids: ReadonlySet<string>,
): readonly BucketBlock[] {
  const raw = blocks.filter(({ meta }) => meta.resolutionMs === 0);
  const covered = coveredBlocks(raw.map(({ meta }) => meta));
  return raw.filter(
    ({ meta }) =>
      meta.mint <= maxt &&
      meta.maxt > mint &&
      !covered.has(meta.ulid) &&
      !isLocal(meta.ulid, meta.sources, localUlids),
  );
}

function isLocal(ulid: string, sources: readonly string[], localUlids: ReadonlySet<string>): boolean {
  return localUlids.has(ulid) || (sources.length > 0 && sources.every((source) => localUlids.has(source)));
}
