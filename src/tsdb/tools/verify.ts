import type { Disk } from '../../platform/disk.ts';
import { Block } from '../block/block.ts';
import { META_FILE } from '../block/meta.ts';
import { isUlid } from '../block/ulid.ts';
import { verifyBlock } from '../block/verify-block.ts';
import { PageCache } from '../chunks/page-cache.ts';

const CACHE_BYTES = 64 * 1024 * 1024;

/** Verifies every block in a data directory; a line per block and per finding. */
export async function verifyBlocks(
  disk: Disk,
  dir: string,
  signal?: AbortSignal,
): Promise<{ readonly text: string; readonly good: boolean }> {
  const lines: string[] = [];
  let good = true;
  for (const { name, isDirectory } of await disk.list(dir)) {
    if (!isDirectory || !isUlid(name)) continue;
    const findings = await verifyOne(disk, `${dir}/${name}`, lines, signal);
    good &&= findings.length === 0;
    for (const finding of findings) lines.push(`  ${finding}`);
  }
  return { text: `${lines.join('\n')}\n`, good };
}

async function verifyOne(
  disk: Disk,
  dir: string,
  lines: string[],
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const name = dir.slice(dir.lastIndexOf('/') + 1);
  if (!(await disk.stat(`${dir}/${META_FILE}`))) {
    lines.push(`${name} BAD`);
    return [`no ${META_FILE}: the block was not written to its end`];
  }
  try {
    const block = await Block.open(disk, dir, new PageCache(CACHE_BYTES));
    try {
      const { findings, findingCount, series, chunks, samples } = await verifyBlock(block, signal);
      lines.push(
        `${name} ${findingCount === 0 ? 'ok' : 'BAD'} ${series} series, ${chunks} chunks, ${samples} samples`,
      );
      const more = findingCount - findings.length;
      return more > 0 ? [...findings, `and ${more} more`] : findings;
    } finally {
      await block.close();
    }
  } catch (error) {
    signal?.throwIfAborted();
    lines.push(`${name} BAD`);
    return [(error as Error).message];
  }
}
