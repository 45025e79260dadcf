import type { Disk } from '../../platform/disk.ts';
import { type BlockMeta, META_FILE, readMeta } from '../block/meta.ts';
import { isUlid } from '../block/ulid.ts';

export interface FoundBlock {
  readonly dir: string;
  readonly meta: BlockMeta;
}

/** The blocks in a data directory by their first time. Throws `corrupt` for a meta.json that does not read. */
export async function blocksIn(disk: Disk, dir: string): Promise<FoundBlock[]> {
  const found: FoundBlock[] = [];
  for (const { name, isDirectory } of await disk.list(dir))
    if (isDirectory && isUlid(name) && (await disk.stat(`${dir}/${name}/${META_FILE}`)))
      found.push({ dir: `${dir}/${name}`, meta: await readMeta(disk, `${dir}/${name}`) });
  return found.sort((a, b) => a.meta.minTime - b.meta.minTime || a.meta.maxTime - b.meta.maxTime);
}

/** Bytes of all files in a folder. */
export async function folderBytes(disk: Disk, dir: string): Promise<number> {
  let size = 0;
  for (const { name, isDirectory } of await disk.list(dir)) {
    const path = `${dir}/${name}`;
    size += isDirectory ? await folderBytes(disk, path) : ((await disk.stat(path))?.sizeBytes ?? 0);
  }
  return size;
}
