import { filePieces } from '../blocks/file-pieces.ts';
import { type BlockRef, META_FILE } from '../blocks/layout.ts';
import { listBlockFiles } from '../blocks/local-blocks.ts';
import { type BlockFile, type ThanosSection, withThanosSection } from '../blocks/meta.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import type { Disk } from '../platform/disk.ts';
import { isDiskFull } from './disk-shortage.ts';

/** Brings the block in folder `dir` into the bucket: chunks, index, and `meta.json` last, which makes it visible. What a full disk cuts short is taken away again. */
export async function uploadBlock(
  ctx: BucketContext,
  bucket: Bucket,
  disk: Disk,
  dir: string,
  ref: BlockRef,
  section: Omit<ThanosSection, 'files'>,
): Promise<void> {
  const files = await listBlockFiles(disk, dir);
  try {
    for (const { relPath, sizeBytes } of files)
      await bucket.upload(ctx, `${ref.folder}/${relPath}`, filePieces(disk, `${dir}/${relPath}`, sizeBytes));
    const path = `${dir}/${META_FILE}`;
    const meta = withThanosSection(await disk.readFile(path), path, { ...section, files });
    await bucket.upload(ctx, `${ref.folder}/${META_FILE}`, meta);
  } catch (error) {
    // In a bucket on a full disk they would keep it full, and each attempt would leave more.
    if (isDiskFull(error)) await removeFiles(ctx, bucket, ref, files);
    throw error;
  }
}

/** Of a block that is not visible; what cannot be removed now is a leftover as after a crash. */
async function removeFiles(
  ctx: BucketContext,
  bucket: Bucket,
  { folder }: BlockRef,
  files: readonly BlockFile[],
): Promise<void> {
  const [seen] = await Promise.allSettled([bucket.exists(ctx, `${folder}/${META_FILE}`)]);
  if (seen.status === 'rejected' || seen.value) return;
  await Promise.allSettled(files.map(({ relPath }) => bucket.delete(ctx, `${folder}/${relPath}`)));
}
