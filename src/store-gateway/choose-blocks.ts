import type { BucketBlock } from '../blocks/block-catalog.ts';

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
  return withoutCovered(raw).filter(
    ({ meta }) => meta.mint <= maxt && meta.maxt > mint && !isLocal(meta.ulid, meta.sources, localUlids),
  );
}

function isLocal(ulid: string, sources: readonly string[], localUlids: ReadonlySet<string>): boolean {
  return localUlids.has(ulid) || (sources.length > 0 && sources.every((source) => localUlids.has(source)));
}

/** Without blocks all of whose sources are among those of another, larger block; of equal ones the first stays. */
function withoutCovered(blocks: readonly BucketBlock[]): BucketBlock[] {
  const bySource = new Map<string, BucketBlock[]>();
  for (const block of blocks)
    for (const source of block.meta.sources) {
      const holders = bySource.get(source);
      if (holders) holders.push(block);
      else bySource.set(source, [block]);
    }
  return blocks.filter(
    (block) => !(bySource.get(block.meta.sources[0]) ?? []).some((other) => covers(other, block)),
  );
}

function covers(other: BucketBlock, block: BucketBlock): boolean {
  if (other === block || other.meta.sources.length < block.meta.sources.length) return false;
  if (other.meta.mint > block.meta.mint || other.meta.maxt < block.meta.maxt) return false;
  const sources = new Set(other.meta.sources);
  if (!block.meta.sources.every((source) => sources.has(source))) return false;
  const equal = other.meta.sources.length === block.meta.sources.length;
  return (
    !equal ||
    other.meta.level > block.meta.level ||
    (other.meta.level === block.meta.level && other.meta.ulid < block.meta.ulid)
  );
}
