import { VeronaError, wrapError } from '../model/errors.ts';
import { assertNotAborted, type Bucket, type BucketContext } from '../objstore/bucket.ts';
import type { Disk } from '../platform/disk.ts';
import { BlockFault } from '../tsdb/compact/merge-source.ts';
import type { JobBlock } from './job.ts';

const PIECE_BYTES = 8 * 1024 * 1024;
/** What a merge reads of a block. Marks and what others put beside a block stay where they are. */
const ALL_FILES = /^(meta\.json|index|tombstones|chunks\/\d{6})$/;
/** What tells which series and chunks there are. */
export const FILES_WITHOUT_CHUNKS = /^(meta\.json|index|tombstones)$/;

/** Fetches a block from the bucket into the folder `dir`. A file shorter than its listing said is a `BlockFault`. */
export async function downloadBlock(
  ctx: BucketContext,
  bucket: Bucket,
  disk: Disk,
  block: Pick<JobBlock, 'ref' | 'sizes'>,
  dir: string,
  files = ALL_FILES,
): Promise<void> {
  await disk.makeDir(`${dir}/chunks`);
  for (const [file, sizeBytes] of block.sizes)
    if (files.test(file))
      await downloadFile(ctx, bucket, disk, `${block.ref.folder}/${file}`, `${dir}/${file}`, sizeBytes).catch(
        (error: unknown) => {
          throw isShort(error) ? BlockFault.because(block.ref.ulid, error) : wrapError('download', error);
        },
      );
}

async function downloadFile(
  ctx: BucketContext,
  bucket: Bucket,
  disk: Disk,
  key: string,
  path: string,
  sizeBytes: number,
): Promise<void> {
  if (await disk.stat(path)) return;
  const file = await disk.open(path, 'create');
  try {
    for (let offset = 0; offset < sizeBytes; ) {
      assertNotAborted(ctx, `download ${key}`);
      const bytes = await bucket.getRange(ctx, key, offset, Math.min(PIECE_BYTES, sizeBytes - offset));
      if (bytes.length === 0)
        throw new VeronaError('corrupt', `${key}: ends at ${offset} of ${sizeBytes} bytes`);
      await file.writeAt([bytes], offset);
      offset += bytes.length;
    }
  } finally {
    await file.close();
  }
}

function isShort(error: unknown): boolean {
  return error instanceof VeronaError && error.code === 'corrupt';
}
