import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlockLayout, blockRef } from '../blocks/layout.ts';
import { MARK_FILES } from '../blocks/marks.ts';
import { isUlid, newUlid, renamedUlid } from '../tsdb/block/ulid.ts';
import { createBlocksFromOpenMetrics } from '../tsdb/tools/create-blocks.ts';
import type { BucketTool } from './bucket-tool.ts';
import { newProgress } from './tool-progress.ts';

/** Where blocks made of a text will go, and as whose. */
export interface TextTarget {
  readonly owner: string;
  readonly layout: BlockLayout;
  readonly labels: Readonly<Record<string, string>>;
}

/** Of a ULID, what says when it was made; the rest is free. */
const TIME_CHARACTERS = 10;

/**
 * Makes blocks of an OpenMetrics text, in a folder for as long as `use` takes. The free part of their names follows from the text, the
 * owner and the labels; a block of the target that has it keeps its name, so that an upload that was interrupted, or is done again,
 * goes on. One that is marked for deletion there does not count.
 */
export async function withTextBlocks(
  tool: BucketTool,
  path: string,
  target: TextTarget,
  use: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'verona-upload-'));
  const progress = newProgress(tool, 'texts', [0]);
  try {
    progress.begin(`making blocks of ${path}`);
    const text = await digestOf(path, tool.ctx.signal);
    const known = await knownNames(tool, target);
    const ulidOf = async (start: number) => {
      const about = JSON.stringify([text, target.owner, Object.entries(target.labels).sort(), start]);
      const made = renamedUlid(newUlid(tool.clock, tool.random), createHash('sha256').update(about).digest());
      const there = known.get(made.slice(TIME_CHARACTERS));
      return there !== undefined && !(await isMarked(tool, target, there)) ? there : made;
    };
    const { signal } = tool.ctx;
    await createBlocksFromOpenMetrics({ ...tool, inputPath: path, outputDir: dir, ulidOf, signal });
    progress.close();
    await use(dir);
  } finally {
    progress.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function digestOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { signal })) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** Blocks where these will go, by the free part of their names. */
async function knownNames(
  { ctx, bucket }: BucketTool,
  { owner, layout }: TextTarget,
): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  const prefix = layout === 'tenant' ? `${owner}/` : '';
  for await (const { kind, key } of bucket.list(ctx, prefix)) {
    const ulid = key.slice(prefix.length, -1);
    if (kind === 'folder' && isUlid(ulid)) names.set(ulid.slice(TIME_CHARACTERS), ulid);
  }
  return names;
}

function isMarked(
  { ctx, bucket }: BucketTool,
  { owner, layout }: TextTarget,
  ulid: string,
): Promise<boolean> {
  return bucket.exists(ctx, `${blockRef(owner, ulid, layout).folder}/${MARK_FILES.deletion}`);
}
