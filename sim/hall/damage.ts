import { blockRef } from '../../src/blocks/layout.ts';
import { uploadBlock } from '../../src/compactor/upload.ts';
import type { Bucket } from '../../src/objstore/bucket.ts';
import { MemoryDisk } from '../../src/platform/memory-disk.ts';
import type { Random } from '../../src/platform/random.ts';
import { writeTestBlock } from '../../src/tsdb/compact/testdata/blocks.ts';
import { BLOCK_MS, SCRAPE_MS, type TenantPlan } from './plan.ts';
import { NO_SIGNAL } from './surroundings.ts';

export const DAMAGES = [
  'chunk',
  'index',
  'shortIndex',
  'noIndex',
  'noChunks',
  'shortChunks',
  'wrongTime',
] as const;
export type Damage = (typeof DAMAGES)[number];

/** Puts a block of another program into the bucket that is damaged in one way. Its series have the label `bad`. */
export async function putDamaged(
  bucket: Bucket,
  { name, layout }: TenantPlan,
  ulid: string,
  mint: number,
  damage: Damage,
  random: Random,
): Promise<void> {
  const disk = new MemoryDisk();
  const samples = Array.from({ length: BLOCK_MS / SCRAPE_MS }, (_, i) => ({
    t: mint + i * SCRAPE_MS,
    value: i,
  }));
  const series = { '{"bad":"1"}': samples, '{"bad":"2"}': samples };
  const late = damage === 'wrongTime' ? SCRAPE_MS : 0;
  await writeTestBlock(disk, 'b', { ulid, minTime: mint + late, maxTime: mint + BLOCK_MS, series });
  const ref = blockRef(name, ulid, layout);
  await uploadBlock(NO_SIGNAL, bucket, disk, `b/${ulid}`, ref, {
    labels: { replica: 'r0', ...(layout === 'root' ? { cluster: 'c' } : { __org_id__: name }) },
  });
  const [chunks, index] = [`${ref.folder}/chunks/000001`, `${ref.folder}/index`];
  if (damage === 'noIndex') await bucket.delete(NO_SIGNAL, index);
  if (damage === 'noChunks') await bucket.delete(NO_SIGNAL, chunks);
  if (damage === 'shortIndex') await cut(bucket, index, random);
  if (damage === 'shortChunks') await cut(bucket, chunks, random);
  if (damage === 'chunk') await flip(bucket, chunks, random);
  if (damage === 'index') await flip(bucket, index, random);
}

/** What an upload that nobody will finish left. */
export async function putPartial(
  bucket: Bucket,
  { name, layout }: TenantPlan,
  ulid: string,
  withIndex: boolean,
): Promise<void> {
  const { folder } = blockRef(name, ulid, layout);
  await bucket.upload(NO_SIGNAL, `${folder}/chunks/000001`, new Uint8Array(100));
  if (withIndex) await bucket.upload(NO_SIGNAL, `${folder}/index`, new Uint8Array(50));
}

async function cut(bucket: Bucket, key: string, random: Random): Promise<void> {
  const bytes = await bucket.get(NO_SIGNAL, key);
  await bucket.upload(NO_SIGNAL, key, bytes.slice(0, Math.floor(random.next() * bytes.length)));
}

async function flip(bucket: Bucket, key: string, random: Random): Promise<void> {
  const bytes = await bucket.get(NO_SIGNAL, key);
  bytes[Math.floor(random.next() * bytes.length)] ^= 1 << Math.floor(random.next() * 8);
  await bucket.upload(NO_SIGNAL, key, bytes);
}
