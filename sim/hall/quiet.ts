import { META_FILE } from '../../src/blocks/layout.ts';
import { MARK_FILES, markKindOf } from '../../src/blocks/marks.ts';
import { type BlockMeta, parseMeta } from '../../src/blocks/meta.ts';
import { SHARD_LABEL } from '../../src/blocks/shard-label.ts';
import type { Bucket } from '../../src/objstore/bucket.ts';
import { isUlid } from '../../src/tsdb/block/ulid.ts';
import type { TenantPlan } from './plan.ts';
import { NO_SIGNAL } from './surroundings.ts';

export interface Expected {
  readonly tenants: readonly TenantPlan[];
  /** What overlaps in a chain that is longer is left as it is, ms. */
  readonly chainMsMax: number;
  readonly deletedTenant: string | undefined;
  /** Blocks that are damaged, which may be set aside. */
  readonly damaged: ReadonlySet<string>;
  /** Blocks that must not be compacted. */
  readonly notCompacted: ReadonlySet<string>;
}

/** What is in the bucket and should not be when nothing has happened for long. */
export async function findGarbage(bucket: Bucket, expected: Expected): Promise<string[]> {
  const keys: string[] = [];
  for await (const entry of bucket.list(NO_SIGNAL, '', { recursive: true })) keys.push(entry.key);
  const blocks = Map.groupBy(
    keys.filter((key) => blockFolder(key) !== undefined),
    (key) => blockFolder(key) as string,
  );
  const found: string[] = [];
  const metas: BlockMeta[] = [];
  for (const [folder, files] of blocks)
    found.push(...(await blockGarbage(bucket, folder, files, expected, metas)));
  for (const key of keys)
    if (blockFolder(key) === undefined && !isExpected(key, blocks, expected, keys))
      found.push(`left over: ${key}`);
  const { deletedTenant } = expected;
  if (deletedTenant !== undefined)
    for (const key of keys)
      if (key.startsWith(`${deletedTenant}/`)) found.push(`of a deleted tenant: ${key}`);
  // What must not be touched keeps others from being joined across it.
  const isMixed = expected.damaged.size + expected.notCompacted.size > 0;
  return isMixed ? found : [...found, ...overlaps(metas, expected.chainMsMax)];
}

async function blockGarbage(
  bucket: Bucket,
  folder: string,
  files: readonly string[],
  { damaged, notCompacted }: Expected,
  metas: BlockMeta[],
): Promise<string[]> {
  const ulid = folder.slice(-26);
  if (!files.includes(`${folder}/${META_FILE}`)) return [`without meta.json: ${files.join(', ')}`];
  const found: string[] = [];
  try {
    const meta = parseMeta(await bucket.get(NO_SIGNAL, `${folder}/${META_FILE}`), folder, ulid);
    if (!damaged.has(ulid)) metas.push(meta);
    const named = new Set(meta.files.map(({ relPath }) => relPath));
    for (const key of files) {
      const file = key.slice(folder.length + 1);
      const kind = markKindOf(file);
      if (kind === undefined && !named.has(file)) found.push(`${key}: not in meta.json`);
      if (kind === 'deletion') found.push(`${key}: not deleted`);
      if (kind === 'quarantine' && !damaged.has(ulid)) found.push(`${key}: a good block is set aside`);
      if (kind === 'no-compact' && !notCompacted.has(ulid)) found.push(`${key}: nobody said so`);
    }
  } catch (error) {
    // The upload of a meta.json broke off for good: a person has to look.
    if (files.includes(`${folder}/${MARK_FILES.quarantine}`)) return [];
    found.push(`${folder}: ${(error as Error).message}`);
  }
  return found;
}

/** Marks of blocks that are there, and the mark of a deleted tenant. */
function isExpected(
  key: string,
  blocks: ReadonlyMap<string, unknown>,
  { deletedTenant, damaged }: Expected,
  keys: readonly string[],
): boolean {
  if (key === `__markers__/${deletedTenant}/tenant-deletion-mark.json`) return true;
  const mark = /^([a-z]+)\/markers\/([0-9A-Z]{26})-(.*)$/.exec(key);
  // A request stays for blocks that come late; a block that is set aside is not rewritten.
  const request = /^([a-z]+\/deletions\/[0-9A-Z]{26})\.(json|finished)$/.exec(key);
  if (request) return damaged.size > 0 || keys.includes(`${request[1]}.finished`);
  if (!mark) return false;
  const [, tenant, ulid, file] = mark;
  return file !== MARK_FILES.deletion && blocks.has(`${tenant}/${ulid}`);
}

function overlaps(metas: readonly BlockMeta[], chainMsMax: number): string[] {
  const groups = Map.groupBy(
    // Windows of the same time cannot be added up, and a shard that is full is left as it is.
    metas.filter(({ resolutionMs, labels }) => resolutionMs === 0 && !labels[SHARD_LABEL]),
    ({ labels: { replica: _, ...labels }, resolutionMs }) =>
      JSON.stringify([resolutionMs, Object.entries(labels).sort()]),
  );
  const found: string[] = [];
  for (const [group, blocks] of groups) {
    blocks.sort((a, b) => a.mint - b.mint);
    for (let i = 0; i < blocks.length; ) {
      const from = i;
      let end = blocks[i].maxt;
      for (i++; i < blocks.length && blocks[i].mint < end; i++) end = Math.max(end, blocks[i].maxt);
      if (i - from > 1 && end - blocks[from].mint <= chainMsMax)
        found.push(`${group}: ${blocks.slice(from, i).map(({ ulid }) => ulid)} overlap`);
    }
  }
  return found;
}

function blockFolder(key: string): string | undefined {
  const parts = key.split('/');
  if (isUlid(parts[0])) return parts[0];
  return parts.length > 2 && isUlid(parts[1]) ? `${parts[0]}/${parts[1]}` : undefined;
}
