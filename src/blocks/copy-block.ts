import { createHash } from 'node:crypto';
import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { readObject } from '../objstore/object-reader.ts';
import type { BucketBlock } from './block-catalog.ts';
import { type BlockRef, CHUNKS_FOLDER, INDEX_FILE, META_FILE } from './layout.ts';
import { META_SIZE_BYTES_MAX, parseMeta, withLabels } from './meta.ts';

export interface CopyTarget {
  readonly bucket: Bucket;
  readonly ref: BlockRef;
  /** External labels of the copy. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface CopyReport {
  /** `present`: the target had the block whole already. */
  readonly outcome: 'copied' | 'present';
  /** Bytes that went over: files of an earlier, interrupted copy stay. */
  readonly bytes: number;
}

/**
 * Copies a block to another bucket or layout: chunks, index, and `meta.json` last, so that nobody reads half of it and
 * an interrupted copy goes on where it stopped. Then the sizes there are compared with those here, and with `checksum` every
 * byte is read back. Marks stay behind. Throws `corrupt` when the copy is not what was sent; then it has no `meta.json`.
 */
export async function copyBlock(
  ctx: BucketContext,
  from: Bucket,
  block: BucketBlock,
  target: CopyTarget,
  { checksum = false } = {},
): Promise<CopyReport> {
  if (await isCopied(ctx, block, target)) return { outcome: 'present', bytes: 0 };
  const files = [...block.sizes]
    .filter(([path]) => path === INDEX_FILE || path.startsWith(`${CHUNKS_FOLDER}/`))
    // Chunks first.
    .sort(([a], [b]) => Number(a === INDEX_FILE) - Number(b === INDEX_FILE) || (a < b ? -1 : 1));
  if (!files.some(([path]) => path === INDEX_FILE))
    throw new VeronaError('corrupt', `${block.ref.folder}/${INDEX_FILE}: missing`);
  let bytes = 0;
  const present = await sizesThere(ctx, target);
  for (const [path, sizeBytes] of files)
    if (present.get(path) !== sizeBytes) {
      await copyFile(ctx, from, `${block.ref.folder}/${path}`, target, path, checksum);
      bytes += sizeBytes;
    }
  await compareSizes(ctx, new Map(files), target);
  const meta = await from.get(ctx, `${block.ref.folder}/${META_FILE}`, META_SIZE_BYTES_MAX);
  const listed = files.map(([relPath, sizeBytes]) => ({ relPath, sizeBytes }));
  const data = withLabels(meta, `${block.ref.folder}/${META_FILE}`, target.labels, listed);
  await target.bucket.upload(ctx, `${target.ref.folder}/${META_FILE}`, data);
  return { outcome: 'copied', bytes: bytes + data.length };
}

/** Whether it is there whole, and the same block: what a copy of another time left of it under other labels is not replaced. Throws `conflict`. */
export async function isCopied(
  ctx: BucketContext,
  { meta }: Pick<BucketBlock, 'meta'>,
  { bucket, ref }: CopyTarget,
): Promise<boolean> {
  const key = `${ref.folder}/${META_FILE}`;
  try {
    const there = parseMeta(await bucket.get(ctx, key, META_SIZE_BYTES_MAX), key, ref.ulid);
    if (there.mint === meta.mint && there.maxt === meta.maxt) return true;
    throw new VeronaError('conflict', `${key}: another block with the same name is there`);
  } catch (error) {
    if (error instanceof VeronaError && (error.code === 'not_found' || error.code === 'corrupt'))
      return false;
    throw error;
  }
}

async function sizesThere(ctx: BucketContext, { bucket, ref }: CopyTarget): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const entry of bucket.list(ctx, `${ref.folder}/`, { recursive: true }))
    if (entry.kind === 'object') sizes.set(entry.key.slice(ref.folder.length + 1), entry.sizeBytes);
  return sizes;
}

async function copyFile(
  ctx: BucketContext,
  from: Bucket,
  source: string,
  { bucket, ref }: CopyTarget,
  path: string,
  checksum: boolean,
): Promise<void> {
  const key = `${ref.folder}/${path}`;
  const sent = createHash('sha256');
  const pieces = async function* () {
    for await (const piece of readObject(from, ctx, source)) {
      if (checksum) sent.update(piece);
      yield piece;
    }
  };
  await bucket.upload(ctx, key, pieces());
  if (!checksum) return;
  const found = createHash('sha256');
  for await (const piece of readObject(bucket, ctx, key)) found.update(piece);
  if (found.digest('hex') === sent.digest('hex')) return;
  await bucket.delete(ctx, key);
  throw new VeronaError('corrupt', `${key}: what is there is not what was sent`);
}

async function compareSizes(
  ctx: BucketContext,
  files: ReadonlyMap<string, number>,
  target: CopyTarget,
): Promise<void> {
  const there = await sizesThere(ctx, target);
  for (const [path, sizeBytes] of files)
    if (there.get(path) !== sizeBytes)
      throw new VeronaError(
        'corrupt',
        `${target.ref.folder}/${path}: ${there.get(path) ?? 'no'} bytes are there, ${sizeBytes} were sent`,
      );
}
