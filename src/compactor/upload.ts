import { filePieces } from '../blocks/file-pieces.ts';
import { type BlockRef, META_FILE } from '../blocks/layout.ts';
import { listBlockFiles } from '../blocks/local-blocks.ts';
import { type ThanosSection, withThanosSection } from '../blocks/meta.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import type { Disk } from '../platform/disk.ts';

/** Brings the block in folder `dir` into the bucket: chunks, index, and `meta.json` last, which makes it visible. */
export async function uploadBlock(
  ctx: BucketContext,
  bucket: Bucket,
  disk: Disk,
  dir: string,
  ref: BlockRef,
  section: Omit<ThanosSection, 'files'>,
): Promise<void> {
  const files = await listBlockFiles(disk, dir);
  for (const { relPath, sizeBytes } of files)
    await bucket.upload(ctx, `${ref.folder}/${relPath}`, filePieces(disk, `${dir}/${relPath}`, sizeBytes));
  const path = `${dir}/${META_FILE}`;
  const meta = withThanosSection(await disk.readFile(path), path, { ...section, files });
  await bucket.upload(ctx, `${ref.folder}/${META_FILE}`, meta);
}
