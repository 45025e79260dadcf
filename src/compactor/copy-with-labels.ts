import { createHash } from 'node:crypto';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { type CopyReport, type CopyTarget, copyBlock, isCopied } from '../blocks/copy-block.ts';
import { blockRef, META_FILE } from '../blocks/layout.ts';
import { listBlockFiles } from '../blocks/local-blocks.ts';
import { parseMeta } from '../blocks/meta.ts';
import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { FilesystemBucket } from '../objstore/filesystem-bucket.ts';
import { readMeta } from '../tsdb/block/meta.ts';
import { renamedUlid } from '../tsdb/block/ulid.ts';
import { mergeBlocks } from '../tsdb/compact/merge-blocks.ts';
import { downloadBlock } from './download.ts';
import type { JobDeps } from './run-job.ts';
import { verifyOutput } from './verify-output.ts';

/** Labels to put on every series of a block on its way to another place. */
export interface LabelledCopy {
  readonly from: Bucket;
  readonly block: BucketBlock;
  /** Win over a label of the series with the same name, as Thanos' external labels do. */
  readonly seriesLabels: Readonly<Record<string, string>>;
  /** The target; its ULID is replaced: files differ from those of the block, so the name does. */
  readonly target: CopyTarget;
  readonly checksum: boolean;
  /** An empty folder of this machine. */
  readonly workDir: string;
  readonly onProgress?: (step: string, done: number) => void;
}

/**
 * Copies a block with labels put on its series. The block is fetched, written anew in the new order, read back, and copied
 * as `copyBlock` does. The new name follows from the old one, the labels and the owner, so that a copy that was interrupted goes on
 * and one that is there is not made again. `compaction` and Thanos' section stay, but for the external labels.
 */
export async function copyWithLabels(
  ctx: BucketContext,
  copy: LabelledCopy,
  deps: Omit<JobDeps, 'bucket'>,
): Promise<CopyReport & { readonly ulid: string }> {
  const { disk } = deps;
  const { from, block, workDir, onProgress } = copy;
  const ulid = nameOf(copy);
  const target = { ...copy.target, ref: blockRef(copy.target.ref.tenant, ulid, copy.target.ref.layout) };
  if (await isCopied(ctx, block, target)) return { outcome: 'present', bytes: 0, ulid };
  onProgress?.('download', 0);
  const source = `${workDir}/in/${block.ref.ulid}`;
  await downloadBlock(ctx, from, disk, block, source);
  await relabel(ctx, copy, disk, source, ulid);
  const dir = `${workDir}/out`;
  const local = new FilesystemBucket(dir, deps);
  const files = await listBlockFiles(disk, `${dir}/${ulid}`);
  const meta = parseMeta(await disk.readFile(`${dir}/${ulid}/${META_FILE}`), `${ulid}/${META_FILE}`, ulid);
  const sizes = new Map(files.map(({ relPath, sizeBytes }) => [relPath, sizeBytes]));
  const made = { ref: blockRef('', ulid, 'root'), meta, sizes, uploadedMs: 0, marks: {} };
  onProgress?.('upload', 0);
  return { ...(await copyBlock(ctx, local, made, target, { checksum: copy.checksum })), ulid };
}

async function relabel(
  ctx: BucketContext,
  { block, seriesLabels, workDir, onProgress }: LabelledCopy,
  disk: JobDeps['disk'],
  source: string,
  ulid: string,
): Promise<void> {
  const { compaction, thanos } = await readMeta(disk, source);
  const added = Object.entries(seriesLabels);
  const names = new Set(added.map(([name]) => name));
  const { outputs } = await mergeBlocks({
    disk,
    inputs: [{ dir: source, replica: 0 }],
    dir: `${workDir}/out`,
    ulids: [ulid],
    dedup: 'one-to-one',
    thanosOf: () => thanos,
    compaction: {
      ...compaction,
      sources: compaction.sources?.length > 0 ? compaction.sources : [block.ref.ulid],
    },
    reorder: { change: (labels) => [...without(labels, names), ...added.flat()] },
    signal: ctx.signal,
    onProgress: (done) => onProgress?.('write', done),
  });
  const [meta] = outputs;
  if (!meta) throw new VeronaError('conflict', 'all its samples are deleted');
  await verifyOutput(disk, `${workDir}/out/${ulid}`, meta, ctx.signal);
}

function without(labels: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < labels.length; i += 2) if (!names.has(labels[i])) kept.push(labels[i], labels[i + 1]);
  return kept;
}

function nameOf({ block, seriesLabels, target }: LabelledCopy): string {
  const text = JSON.stringify([block.ref.ulid, Object.entries(seriesLabels).sort(), target.ref.tenant]);
  return renamedUlid(block.ref.ulid, createHash('sha256').update(text).digest());
}
