import { type Lineage, listedSources } from '../blocks/changes.ts';
import { META_FILE } from '../blocks/layout.ts';
import { parseMeta } from '../blocks/meta.ts';
import { knownExtents } from '../blocks/source-extents.ts';
import type { Disk } from '../platform/disk.ts';
import { type BlockCompaction, type BlockMeta, decodeMeta } from '../tsdb/block/meta.ts';
import { joinCompactions } from '../tsdb/compact/merge-blocks.ts';

interface Input {
  readonly meta: BlockMeta;
  readonly lineage: Lineage;
}

/**
 * `compaction` of what is made of the blocks in `dirs`, in which the changes `ids` were made. It has more sources than any of
 * them, since for Thanos and Cortex a block is outdated when another has all its sources: where none came along, this merge is
 * itself the change.
 */
export async function resultCompaction(
  disk: Disk,
  dirs: readonly string[],
  ids: readonly string[],
): Promise<BlockCompaction> {
  const inputs = await Promise.all(dirs.map((dir) => readInput(disk, dir)));
  const joined = joinCompactions(inputs.map(({ meta }) => meta));
  const lineages = inputs.map(({ lineage }) => lineage);
  const sources = listedSources(lineages, joined.sources, ids);
  const isNew = inputs.every(({ meta }) => (meta.compaction.sources ?? []).length < sources.length);
  const merge = `merge ${inputs.map(({ meta }) => meta.ulid).join(' ')}`;
  return { ...joined, sources: isNew ? sources : listedSources([], sources, [merge]) };
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
  const { sources, changes = [] } = parseMeta(data, path, meta.ulid);
  return { meta, lineage: { sources, changes } };
}
