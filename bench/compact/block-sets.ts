import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { NodeDisk } from '../../src/platform/node-disk.ts';
import { makeBlocks } from './make-blocks.ts';

/** A multiple of six hours. */
const START = 1_700_006_400_000;
const CACHE = join(import.meta.dirname, '../../.cache/compact');

/** Where the blocks of a replica are: made once, and kept for the next run. */
export async function blockSet(series: number, blocks: number, replica: number): Promise<string[]> {
  const dir = join(CACHE, `${series}-series-${blocks}-blocks-replica-${replica}`);
  if (!existsSync(dir)) {
    await mkdir(CACHE, { recursive: true });
    const draft = `${dir}.${process.pid}`;
    const disk = new NodeDisk();
    const shiftMs = replica * 7000;
    await makeBlocks({ disk, dir: draft, series, start: START, blocks, replica, shiftMs });
    await rename(draft, dir);
  }
  return readdirSync(dir)
    .sort()
    .map((ulid) => join(dir, ulid));
}
