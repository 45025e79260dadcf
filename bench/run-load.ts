import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SendStats } from './load/send.ts';

export interface LoadResult extends SendStats {
  series: number;
  scrapes: number;
  startMs: number;
  endMs: number;
}

/** Runs the load generator as a process of its own and returns its figures. */
export async function runLoad(flags: readonly string[]): Promise<LoadResult> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, 'load/load.ts'), ...flags],
    {
      maxBuffer: 1 << 20,
    },
  );
  return JSON.parse(stdout) as LoadResult;
}
