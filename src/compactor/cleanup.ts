import type { TenantBlocks, UnfinishedBlock } from '../blocks/block-catalog.ts';
import { JsonReader } from '../blocks/json-reader.ts';
import { type BlockRef, META_FILE } from '../blocks/layout.ts';
import type { MarkKind } from '../blocks/marks.ts';
import { META_SIZE_BYTES_MAX, META_VERSION, parseMeta } from '../blocks/meta.ts';
import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';

export interface CleanupRules {
  /** From a deletion mark to the deletion, ms. */
  readonly deletionDelayMs: number;
  /** An upload without a `meta.json` is left over when its newest file is this old, ms. */
  readonly partialDelayMs: number;
}

/** And of deleted tenants. */
export interface TenantCleanupRules extends CleanupRules {
  /** From the removal of a deleted tenant's last block to that of its mark, ms. */
  readonly tenantDelayMs: number;
}

export type Cleanup =
  | { readonly kind: 'block' | 'partial'; readonly ref: BlockRef }
  | { readonly kind: 'mark'; readonly ref: BlockRef; readonly mark: MarkKind };

/**
 * What of a tenant is to be removed now: blocks whose mark is old enough, leftovers of uploads and deletions that broke
 * off, marks of blocks that are gone. A `meta.json` that does not decode is removed only with a
 * mark: it may be of a version to come.
 */
export function planCleanup(view: TenantBlocks, rules: CleanupRules, nowMs: number): Cleanup[] {
  const due = [...view.whole, ...view.unfinished.filter(({ kind }) => kind === 'corrupted')].filter(
    ({ marks }) => marks.deletion && nowMs - marks.deletion.timeMs >= rules.deletionDelayMs,
  );
  const left = view.unfinished.filter((block) => isLeftOver(block, rules, nowMs));
  const orphans = view.orphanMarks.filter(({ modifiedMs }) => nowMs - modifiedMs >= rules.deletionDelayMs);
  return [
    ...due.map(({ ref }) => ({ kind: 'block' as const, ref })),
    ...left.map(({ ref }) => ({ kind: 'partial' as const, ref })),
    ...orphans.map(({ ref, kind }) => ({ kind: 'mark' as const, ref, mark: kind })),
  ];
}

/** A deletion begins with `meta.json`: a marked block without it was being deleted. */
function isLeftOver(block: UnfinishedBlock, rules: CleanupRules, nowMs: number): boolean {
  if (block.marks.deletion) return nowMs - block.marks.deletion.timeMs >= rules.deletionDelayMs;
  if (block.kind !== 'partial') return false;
  return nowMs - block.newestMs >= rules.partialDelayMs;
}

/** Blocks whose `meta.json` does not decode and is no upload under way, and that are not marked yet. */
export function brokenBlocks(
  { unfinished }: TenantBlocks,
  { partialDelayMs }: CleanupRules,
  nowMs: number,
): readonly UnfinishedBlock[] {
  return unfinished.filter(
    ({ kind, newestMs, marks }) =>
      kind === 'corrupted' && nowMs - newestMs >= partialDelayMs && !marks.deletion && !marks.quarantine,
  );
}

/** What is wrong with the `meta.json` of a block; undefined when nothing is, or it is of a version to come, or gone. */
export async function metaProblem(
  ctx: BucketContext,
  bucket: Bucket,
  { folder, ulid }: BlockRef,
): Promise<string | undefined> {
  const key = `${folder}/${META_FILE}`;
  try {
    const data = await bucket.get(ctx, key, META_SIZE_BYTES_MAX);
    const reader = new JsonReader(key);
    const { version } = reader.object(reader.parse(data), 'document');
    if (typeof version === 'number' && version > META_VERSION) return undefined;
    parseMeta(data, key, ulid);
    return undefined;
  } catch (error) {
    if (!(error instanceof VeronaError) || !['corrupt', 'too_large', 'not_found'].includes(error.code))
      throw error;
    return error.code === 'not_found' ? undefined : error.message;
  }
}
