import { listedSources } from '../blocks/changes.ts';
import { META_FILE } from '../blocks/layout.ts';
import { parseMeta } from '../blocks/meta.ts';
import type { Disk } from '../platform/disk.ts';
import { type BlockCompaction, decodeMeta } from '../tsdb/block/meta.ts';
import { joinCompactions } from '../tsdb/compact/merge-blocks.ts';

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
  const inputs = await Promise.all(
    dirs.map(async (dir) => {
      const path = `${dir}/${META_FILE}`;
      const data = await disk.readFile(path);
      const meta = decodeMeta(data, path);
      return { meta, lineage: parseMeta(data, path, meta.ulid) };
    }),
  );
  const joined = joinCompactions(inputs.map(({ meta }) => meta));
  const lineages = inputs.map(({ lineage: { sources, changes = [] } }) => ({ sources, changes }));
  const sources = listedSources(lineages, joined.sources, ids);
  const isNew = inputs.every(({ meta }) => (meta.compaction.sources ?? []).length < sources.length);
  const merge = `merge ${inputs.map(({ meta }) => meta.ulid).join(' ')}`;
  return { ...joined, sources: isNew ? sources : listedSources([], sources, [merge]) };
}
