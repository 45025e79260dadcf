import { formatDuration } from '../../model/duration.ts';
import type { Disk } from '../../platform/disk.ts';
import { blocksIn, folderBytes } from './blocks-in.ts';

const HEADINGS = [
  'BLOCK ULID',
  'MIN TIME',
  'MAX TIME',
  'DURATION',
  'NUM SAMPLES',
  'NUM CHUNKS',
  'NUM SERIES',
  'SIZE',
];

/**
 * A table of the blocks in a data directory, by time, and a line for each that cannot be read; then it is not `good`.
 * `readable` prints times and sizes for people.
 */
export async function listBlocks(
  disk: Disk,
  dir: string,
  readable = false,
): Promise<{ readonly text: string; readonly good: boolean }> {
  const rows: string[][] = [HEADINGS];
  const broken: string[] = [];
  for (const block of await blocksIn(disk, dir, ({ message }) => broken.push(`${message}\n`))) {
    const { ulid, minTime, maxTime, stats } = block.meta;
    const size = await folderBytes(disk, block.dir);
    const time = (t: number) => (readable ? new Date(t).toISOString() : String(t));
    const counts = [stats.numSamples, stats.numChunks, stats.numSeries].map(String);
    const sizeText = readable ? readableBytes(size) : String(size);
    rows.push([ulid, time(minTime), time(maxTime), formatDuration(maxTime - minTime), ...counts, sizeText]);
  }
  return { text: `${alignColumns(rows)}${broken.join('')}`, good: broken.length === 0 };
}

/** Rows as text, columns padded to their widest cell. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] + 2))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}

/** A size for people. */
export function readableBytes(size: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${unit === 0 ? size : size.toFixed(1)}${units[unit]}`;
}
