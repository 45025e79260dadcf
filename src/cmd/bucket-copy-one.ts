import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { copyBlock, isCopied } from '../blocks/copy-block.ts';
import { needsDeletion } from '../blocks/deletion-request.ts';
import { DeletionRequests } from '../blocks/deletion-requests.ts';
import { type BlockLayout, type BlockRef, blockRef } from '../blocks/layout.ts';
import { TENANT_LABEL } from '../blocks/shipper.ts';
import { copyWithLabels } from '../compactor/copy-with-labels.ts';
import { VeronaError } from '../model/errors.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { Metrics } from '../platform/metrics.ts';
import { TOMBSTONES_FILE } from '../tsdb/block/tombstones.ts';
import { blockBytes } from './bucket-job.ts';
import type { BucketTool } from './bucket-tool.ts';
import type { Progress } from './progress.ts';

/** What a copy does to labels, and how careful it is. */
export interface CopyRules {
  readonly layout: BlockLayout;
  /** External labels that every copy gets. */
  readonly labels: Readonly<Record<string, string>>;
  /** Of Thanos' layout: the external label that gets the owner of a block from Cortex' layout; empty for none. */
  readonly tenantLabel: string;
  /** External labels that stay external in Cortex' layout, so that the compactor merges replicas. */
  readonly replicaLabels: readonly string[];
  /** Leave external labels behind instead of putting them on the series. */
  readonly dropExternalLabels: boolean;
  readonly ignoreDeleted: boolean;
  readonly checksum: boolean;
  readonly dryRun: boolean;
}

export interface CopiedBlock {
  readonly ref: BlockRef;
  readonly outcome: string;
  readonly bytes: number;
  /** External labels that became labels of the series. */
  readonly seriesLabels: Readonly<Record<string, string>>;
}

/** Steps of a copy that is written anew: those that are as far as their bytes, and where each begins and its share. */
const WRITE_PARTS: Readonly<Record<string, 'read' | 'written'>> = { download: 'read', upload: 'written' };
const SHARES: Readonly<Record<string, readonly [number, number]>> = {
  download: [0, 0.3],
  write: [0.3, 0.5],
  upload: [0.8, 0.2],
};

/** A file without entries has a head and a checksum only. */
const EMPTY_TOMBSTONES_BYTES = 9;
/** Labels that say whose a block is, not what its series are. */
const OWNER_LABELS = new Set([TENANT_LABEL, '__ingester_id__']);

/** Copies one block to its new owner. Throws `conflict` when deleted samples would show again, `bad_data` when Thanos would refuse the copy. */
export async function copyOne(
  tool: BucketTool,
  from: Bucket,
  block: BucketBlock,
  to: Bucket,
  owner: string,
  rules: CopyRules,
  progress: Progress,
): Promise<CopiedBlock> {
  const { external, series } = labelsOf(block, owner, rules);
  const ref = blockRef(owner, block.ref.ulid, rules.layout);
  const about = { ref, seriesLabels: series };
  if (!rules.ignoreDeleted) await checkDeleted(tool, from, block);
  const target = { bucket: to, ref, labels: external };
  const isPlain = Object.keys(series).length === 0;
  if (rules.dryRun) {
    if (isPlain && (await isCopied(tool.ctx, block, target)))
      return { ...about, outcome: 'present', bytes: 0 };
    return { ...about, outcome: 'would be copied', bytes: blockBytes(block) };
  }
  if (isPlain)
    return { ...about, ...(await copyBlock(tool.ctx, from, block, target, { checksum: rules.checksum })) };
  const workDir = await mkdtemp(join(tmpdir(), 'verona-copy-'));
  try {
    const onProgress = (step: string, done: number) =>
      progress.step(step, WRITE_PARTS[step] ?? done, ...(SHARES[step] ?? ([0, 1] as const)));
    const { checksum } = rules;
    const copy = { from, block, seriesLabels: series, target, checksum, workDir, onProgress };
    const { ulid, ...report } = await copyWithLabels(tool.ctx, copy, tool);
    return { ...about, ref: blockRef(owner, ulid, rules.layout), ...report };
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/** Which external labels the copy has, and which go on its series. */
function labelsOf(
  { meta, ref, seriesLabels = meta.labels }: BucketBlock,
  owner: string,
  { layout, labels, tenantLabel, replicaLabels, dropExternalLabels }: CopyRules,
): {
  readonly external: Readonly<Record<string, string>>;
  readonly series: Readonly<Record<string, string>>;
} {
  const own = Object.entries(seriesLabels).filter(([name]) => !OWNER_LABELS.has(name));
  if (layout === 'root') {
    const named = ref.layout === 'tenant' && tenantLabel !== '' ? { [tenantLabel]: owner } : {};
    // Between two buckets of Thanos nothing changes, the label that names the tenant included.
    const before = ref.layout === 'root' ? meta.labels : Object.fromEntries(own);
    const external = { ...before, ...named, ...labels };
    if (Object.keys(external).length > 0) return { external, series: {} };
    throw new VeronaError(
      'bad_data',
      "Thanos' layout needs an external label: say for example --label cluster=a",
    );
  }
  const ours = { ...labels, [TENANT_LABEL]: owner };
  if (ref.layout === 'tenant') return { external: { ...Object.fromEntries(own), ...ours }, series: {} };
  const stays = ([name]: readonly [string, string]) => replicaLabels.includes(name);
  return {
    external: { ...Object.fromEntries(own.filter(stays)), ...ours },
    series: dropExternalLabels ? {} : Object.fromEntries(own.filter((label) => !stays(label))),
  };
}

async function checkDeleted(tool: BucketTool, from: Bucket, block: BucketBlock): Promise<void> {
  if ((block.sizes.get(TOMBSTONES_FILE) ?? 0) > EMPTY_TOMBSTONES_BYTES)
    throw new VeronaError(
      'conflict',
      'samples of it are deleted, and would show again; compact it where it is first (clean_tombstones), or say --ignore-tombstones',
    );
  if (from !== tool.bucket) return;
  const requests = new DeletionRequests({ ...tool, metrics: new Metrics() });
  for (const request of await requests.refresh(tool.ctx, block.ref.tenant))
    if (needsDeletion(block.meta, request))
      throw new VeronaError(
        'conflict',
        `deletion request ${request.id} is not worked off yet, and what it deletes would show again; let the compactor do it, or say --ignore-tombstones`,
      );
}
