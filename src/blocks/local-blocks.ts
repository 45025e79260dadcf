import { VeronaError } from '../model/errors.ts';
import type { Disk } from '../platform/disk.ts';
import { isUlid } from '../tsdb/block/ulid.ts';
import { CHUNKS_FOLDER, INDEX_FILE, META_FILE } from './layout.ts';
import { type BlockFile, type BlockMeta, parseMeta } from './meta.ts';

/** A finished block in a tenant's folder. */
export interface LocalBlock {
  readonly meta: BlockMeta;
  /** `meta.json` as it is on disk. */
  readonly metaBytes: Uint8Array;
}

/** The finished blocks of a folder, oldest first, and what is wrong with the others. A folder under another name or without `meta.json` is being written. */
export async function scanLocalBlocks(
  disk: Disk,
  dir: string,
): Promise<{ readonly blocks: readonly LocalBlock[]; readonly broken: readonly VeronaError[] }> {
  const blocks: LocalBlock[] = [];
  const broken: VeronaError[] = [];
  for (const { name, isDirectory } of await disk.list(dir)) {
    if (!isDirectory || !isUlid(name)) continue;
    const path = `${dir}/${name}/${META_FILE}`;
    if (!(await disk.stat(path))) continue;
    try {
      const metaBytes = await disk.readFile(path);
      blocks.push({ metaBytes, meta: parseMeta(metaBytes, path, name) });
    } catch (error) {
      if (!(error instanceof VeronaError)) throw error;
      broken.push(error);
    }
  }
  return { blocks: blocks.sort(byAge), broken };
}

/** The files of a block that go to the bucket before its `meta.json`, in the safe order: chunks, then the index. */
export async function listBlockFiles(disk: Disk, blockDir: string): Promise<readonly BlockFile[]> {
  const files: BlockFile[] = [];
  for (const { name, isDirectory } of await disk.list(`${blockDir}/${CHUNKS_FOLDER}`))
    if (!isDirectory && /^\d{6}$/.test(name))
      files.push(await fileOf(disk, blockDir, `${CHUNKS_FOLDER}/${name}`));
  files.push(await fileOf(disk, blockDir, INDEX_FILE));
  return files;
}

async function fileOf(disk: Disk, blockDir: string, relPath: string): Promise<BlockFile> {
  const found = await disk.stat(`${blockDir}/${relPath}`);
  if (!found) throw new VeronaError('corrupt', `${blockDir}/${relPath}: missing`);
  return { relPath, sizeBytes: found.sizeBytes };
}

function byAge(a: LocalBlock, b: LocalBlock): number {
  return a.meta.mint - b.meta.mint || (a.meta.ulid < b.meta.ulid ? -1 : 1);
}
