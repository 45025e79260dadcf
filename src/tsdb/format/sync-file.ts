import type { Disk } from '../../platform/disk.ts';

/** Resolves when what a file has is on stable storage, whoever wrote it. */
export async function syncFile(disk: Disk, path: string): Promise<void> {
  const file = await disk.open(path, 'write');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
