import { META_FILE } from '../src/blocks/layout.ts';
import { type BlockMeta, parseMeta } from '../src/blocks/meta.ts';
import type { Bucket } from '../src/objstore/bucket.ts';
import type { Disk } from '../src/platform/disk.ts';
import { isUlid } from '../src/tsdb/block/ulid.ts';
import { listSegments } from '../src/tsdb/wal/segments.ts';
import type { Plan } from './plan.ts';
import { TENANTS_DIR } from './process.ts';

/** Segments a log may have when nothing was wrong for hours. */
const SEGMENTS_MAX = 24;
const LATE_SEGMENTS_MAX = 6;

/** What is not as it must be when faults are long over: leftovers on disk, blocks not in the bucket or there twice. */
export async function findUnrest(plan: Plan, disk: Disk, bucket: Bucket): Promise<string[]> {
  const found: string[] = [];
  for (const path of await listAll(disk, 'data'))
    if (/\.tmp|tmp-for-(creation|deletion)/.test(path)) found.push(`left over: ${path}`);
  for (const tenant of plan.tenants) {
    const dir = `${TENANTS_DIR}/${tenant}`;
    const segments = (await listSegments(disk, `${dir}/wal`)).length;
    if (segments > SEGMENTS_MAX) found.push(`${dir}/wal: ${segments} segments`);
    const late = (await listSegments(disk, `${dir}/wbl`)).length;
    if (late > LATE_SEGMENTS_MAX) found.push(`${dir}/wbl: ${late} segments`);
    if (plan.shipping) found.push(...(await shippingUnrest(tenant, dir, disk, bucket)));
  }
  return found;
}

async function shippingUnrest(tenant: string, dir: string, disk: Disk, bucket: Bucket): Promise<string[]> {
  const found: string[] = [];
  const inBucket = await bucketMetas(tenant, bucket, found);
  for (const { name } of await disk.list(dir))
    if (isUlid(name) && !inBucket.has(name)) found.push(`${dir}/${name}: not in the bucket`);
  const inOrder = [...inBucket.values()].filter((meta) => !meta.hints.includes('from-out-of-order'));
  inOrder.sort((a, b) => a.mint - b.mint);
  for (let i = 1; i < inOrder.length; i++)
    if (inOrder[i].mint < inOrder[i - 1].maxt)
      found.push(`${tenant}: blocks ${inOrder[i - 1].ulid} and ${inOrder[i].ulid} overlap`);
  return found;
}

async function bucketMetas(
  tenant: string,
  bucket: Bucket,
  found: string[],
): Promise<Map<string, BlockMeta & { readonly hints: readonly string[] }>> {
  const ctx = { signal: new AbortController().signal };
  const metas = new Map<string, BlockMeta & { readonly hints: readonly string[] }>();
  for await (const { kind, key } of bucket.list(ctx, `${tenant}/`)) {
    const ulid = key.slice(tenant.length + 1, -1);
    if (kind !== 'folder' || !isUlid(ulid)) continue;
    try {
      const path = `${tenant}/${ulid}/${META_FILE}`;
      const bytes = await bucket.get(ctx, path);
      const { compaction } = JSON.parse(new TextDecoder().decode(bytes)) as {
        compaction: { hints?: string[] };
      };
      metas.set(ulid, { ...parseMeta(bytes, path, ulid), hints: compaction.hints ?? [] });
    } catch (error) {
      found.push(`bucket ${key}: ${(error as Error).message}`);
    }
  }
  return metas;
}

async function listAll(disk: Disk, dir: string): Promise<string[]> {
  const paths: string[] = [];
  for (const { name, isDirectory } of await disk.list(dir)) {
    paths.push(`${dir}/${name}`);
    if (isDirectory) paths.push(...(await listAll(disk, `${dir}/${name}`)));
  }
  return paths;
}
