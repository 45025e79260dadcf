import { changeName, type Lineage, listedSources } from '../blocks/changes.ts';
import { META_FILE } from '../blocks/layout.ts';
import { parseMeta } from '../blocks/meta.ts';
import { SHARD_LABEL } from '../blocks/shard-label.ts';
import { knownExtents } from '../blocks/source-extents.ts';
import type { Disk } from '../platform/disk.ts';
import { type BlockCompaction, type BlockMeta, decodeMeta } from '../tsdb/block/meta.ts';
import { joinCompactions } from '../tsdb/compact/merge-blocks.ts';

interface Input {
  readonly meta: BlockMeta;
  readonly lineage: Lineage;
  /** Its label of a shard; empty for a block of all series. */
  readonly shard: string;
}

/**
 * `compaction` of what is made of the blocks in `dirs`, in which the changes `ids` were made. It has more sources than any of
 * those with the same label of a shard, since for Thanos and Cortex a block is outdated when another has all its sources: where
 * none came along, a change is added that says no more. What is written anew at several resolutions has the same sources at each.
 * `shard` is the label of the result; undefined when it is split.
 */
export async function resultCompaction(
  disk: Disk,
  dirs: readonly string[],
  ids: readonly string[],
  shard: string | undefined,
): Promise<BlockCompaction> {
  const inputs = await Promise.all(dirs.map((dir) => readInput(disk, dir)));
  const joined = joinCompactions(inputs.map(({ meta }) => meta));
  const lineages = inputs.map(({ lineage }) => lineage);
  const sources = listedSources(lineages, joined.sources, ids);
  const rivals = inputs.filter((input) => input.shard === shard);
  const isNew = rivals.every(({ meta }) => (meta.compaction.sources ?? []).length < sources.length);
  return { ...joined, sources: isNew ? sources : listedSources([], sources, [nextId(sources)]) };
}

/** Of a change that is not there yet. */
function nextId(sources: readonly string[]): string {
  const known = new Set(sources);
  for (let i = 1; ; i++) if (!known.has(changeName(`again ${i}`))) return `again ${i}`;
}

/** `compaction` of a coarser block: that of the block in `dir`, with all names by which Thanos and Verona know what it is made of. */
export async function coarserCompaction(disk: Disk, dir: string): Promise<BlockCompaction> {
  const { meta, lineage } = await readInput(disk, dir);
  const { compaction } = meta;
  return { ...compaction, sources: listedSources([lineage], compaction.sources ?? [], []) };
}

/** When samples of each source of the blocks in `dirs` can lie, for what is made of these. */
export async function resultSourceTimes(
  disk: Disk,
  dirs: readonly string[],
): Promise<ReturnType<typeof knownExtents>> {
  const metas = dirs.map(async (dir) => {
    const path = `${dir}/${META_FILE}`;
    return parseMeta(await disk.readFile(path), path, dir.slice(dir.lastIndexOf('/') + 1));
  });
  return knownExtents(await Promise.all(metas));
}

async function readInput(disk: Disk, dir: string): Promise<Input> {
  const path = `${dir}/${META_FILE}`;
  const data = await disk.readFile(path);
  const meta = decodeMeta(data, path);
  const { sources, changes = [], labels } = parseMeta(data, path, meta.ulid);
  return { meta, lineage: { sources, changes }, shard: labels[SHARD_LABEL] ?? '' };
}
