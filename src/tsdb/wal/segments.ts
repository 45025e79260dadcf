import type { Disk } from '../../platform/disk.ts';

export const SEGMENT_BYTES_DEFAULT = 128 * 1024 * 1024;

const CHECKPOINT = /^checkpoint\.(\d+)$/;

export interface WalSegment {
  readonly index: number;
  readonly path: string;
}

/** The segments of a log, ascending. Files with other names are left alone. */
export async function listSegments(disk: Disk, dir: string): Promise<WalSegment[]> {
  const entries = await disk.list(dir);
  return entries
    .filter((entry) => !entry.isDirectory && /^\d+$/.test(entry.name))
    .map((entry) => ({ index: Number(entry.name), path: `${dir}/${entry.name}` }))
    .sort((a, b) => a.index - b.index);
}

export function segmentPath(dir: string, index: number): string {
  return `${dir}/${String(index).padStart(8, '0')}`;
}

/** The folders of checkpoints, ascending; `index` is the last segment each one stands for. */
export async function listCheckpoints(disk: Disk, dir: string): Promise<WalSegment[]> {
  const entries = await disk.list(dir);
  return entries
    .filter((entry) => entry.isDirectory && CHECKPOINT.test(entry.name))
    .map((entry) => ({ index: Number(CHECKPOINT.exec(entry.name)![1]), path: `${dir}/${entry.name}` }))
    .sort((a, b) => a.index - b.index);
}

export async function findLastCheckpoint(disk: Disk, dir: string): Promise<WalSegment | undefined> {
  return (await listCheckpoints(disk, dir)).at(-1);
}
