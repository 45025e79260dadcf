import { VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import { type BlockMeta, META_FILE, readMeta } from '../block/meta.ts';
import { isUlid } from '../block/ulid.ts';

export interface FoundBlock {
  readonly dir: string;
  readonly meta: BlockMeta;
}

/**
 * The blocks in a data directory by their first time. A meta.json that does not read is given to `onBroken`, which throws
 * when it is not given.
 */
export async function blocksIn(
  disk: Disk,
  dir: string,
  onBroken: (error: VeronaError) => void = raise,
): Promise<FoundBlock[]> {
  const found: FoundBlock[] = [];
  for (const { name, isDirectory } of await disk.list(dir)) {
    const blockDir = `${dir}/${name}`;
    if (!isDirectory || !isUlid(name) || !(await disk.stat(`${blockDir}/${META_FILE}`))) continue;
    try {
      found.push({ dir: blockDir, meta: await readMeta(disk, blockDir) });
    } catch (error) {
      if (!(error instanceof VeronaError) || error.code !== 'corrupt') throw error;
      onBroken(error);
    }
  }
  return found.sort((a, b) => a.meta.minTime - b.meta.minTime || a.meta.maxTime - b.meta.maxTime);
}

function raise(error: VeronaError): never {
  throw error;
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
