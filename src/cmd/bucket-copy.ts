import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { BlockCatalog, type BucketBlock } from '../blocks/block-catalog.ts';
import { copyBlock } from '../blocks/copy-block.ts';
import { type BlockLayout, blockRef } from '../blocks/layout.ts';
import { TENANT_LABEL } from '../blocks/shipper.ts';
import { VeronaError } from '../model/errors.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { openBucket } from '../objstore/open-bucket.ts';
import { Metrics } from '../platform/metrics.ts';
import { checkTenantId } from '../tenancy/tenant-id.ts';
import { TOMBSTONES_FILE } from '../tsdb/block/tombstones.ts';
import { createBlocksFromOpenMetrics } from '../tsdb/tools/create-blocks.ts';
import { readableBytes } from '../tsdb/tools/list.ts';
import {
  addBucketOptions,
  type BucketTool,
  chosenBlocks,
  openNamed,
  print,
  say,
  toolLog,
  withBucket,
} from './bucket-tool.ts';
import { rootTenancy } from './catalog-options.ts';
import { EXIT } from './exit.ts';

interface CopyOptions extends Record<string, unknown> {
  readonly layout: string;
  readonly label?: readonly string[];
  readonly dropExternalLabels?: boolean;
  readonly ignoreTombstones?: boolean;
  readonly checksum?: boolean;
  readonly dryRun?: boolean;
}

/** A file without entries has a head and a checksum only. */
const EMPTY_TOMBSTONES_BYTES = 9;
/** Labels that say whose a block is, not what its series are. */
const OWNER_LABELS = new Set([TENANT_LABEL, '__ingester_id__']);

/** `verona bucket upload|copy`: blocks from elsewhere. An interrupted one goes on when it is started again. */
export function addCopyCommands(bucket: Command): void {
  addCopyOptions(
    bucket
      .command('upload')
      .description(
        'bring blocks of a Prometheus data directory, or OpenMetrics text with timestamps, into the bucket',
      ),
  )
    .argument('<path>', 'a data directory, or with --openmetrics a text file')
    .option('--openmetrics', 'the path is OpenMetrics text')
    .action(upload);
  addCopyOptions(
    bucket
      .command('copy')
      .alias('replicate')
      .description('copy blocks into another bucket or the other layout'),
  )
    .argument('[ulid...]', 'blocks; without any all of them')
    .option('--to.config-file <path>', "the target, in the form of Thanos' objstore.yml")
    .option('--to.config <yaml>', 'the same as text')
    .option('--to.dir <path>', 'a target in a folder')
    .option('--to-tenant <name>', 'the owner there; without it the same as here')
    .action(copy);
}

function addCopyOptions(command: Command): Command {
  return addBucketOptions(command)
    .option(
      '--layout <tenant|thanos>',
      'where blocks lie: below their tenant as Cortex has it, or directly as Thanos has it',
      'tenant',
    )
    .option('--label <name=value...>', "external labels of the blocks; Thanos' layout needs one")
    .option(
      '--drop-external-labels',
      "into Cortex' layout: leave external labels behind, although series of different ones become one",
    )
    .option('--ignore-tombstones', 'upload blocks with deleted samples, which then show again')
    .option('--checksum', 'read everything back and compare')
    .option('--dry-run', 'only say what would be copied');
}

async function upload(path: string, given: CopyOptions & { readonly openmetrics?: boolean }): Promise<void> {
  await withBucket(given, async (tool, { tenant, json }) => {
    if (tenant === undefined) throw new VeronaError('bad_data', 'say whose the blocks are with --tenant');
    const owner = checkTenantId(tenant);
    await withDataDir(tool, path, given.openmetrics === true, async (dir) => {
      const from = await openBucket({ type: 'FILESYSTEM', config: { directory: dir } }, tool);
      const catalog = new BlockCatalog(
        { ignoreDeletionMarksDelayMs: 0, ...rootTenancy('', owner) },
        { bucket: from, clock: tool.clock, log: toolLog, metrics: new Metrics() },
      );
      await catalog.tenants(tool.ctx);
      const { whole } = await catalog.refresh(tool.ctx, owner);
      await copyAll(tool, from, whole, tool.bucket, () => owner, given, json === true);
    });
  });
}

async function copy(ulids: string[], given: CopyOptions & { readonly toTenant?: string }): Promise<void> {
  await withBucket(given, async (tool, { json }) => {
    const text = (name: string) => given[name] as string | undefined;
    const names = { configFile: text('to.configFile'), config: text('to.config'), dir: text('to.dir') };
    const isSame = Object.values(names).every((name) => name === undefined);
    const to = isSame ? tool.bucket : await openNamed(names);
    const owner = given.toTenant === undefined ? undefined : checkTenantId(given.toTenant);
    try {
      const blocks = chosenBlocks(await tool.tenants(), ulids).filter(({ marks }) => !marks.deletion);
      await copyAll(
        tool,
        tool.bucket,
        blocks,
        to,
        (block) => owner ?? block.ref.tenant,
        given,
        json === true,
      );
    } finally {
      if (!isSame) await to.close();
    }
  });
}

async function copyAll(
  tool: BucketTool,
  from: Bucket,
  blocks: readonly BucketBlock[],
  to: Bucket,
  ownerOf: (block: BucketBlock) => string,
  given: CopyOptions,
  json: boolean,
): Promise<void> {
  const layout = layoutOf(given.layout);
  const results: object[] = [];
  for (const [i, block] of blocks.entries()) {
    const owner = ownerOf(block);
    const ref = blockRef(owner, block.ref.ulid, layout);
    const result = await copyOne(
      tool,
      from,
      block,
      { bucket: to, ref, labels: labelsOf(block, owner, layout, given) },
      given,
    ).catch((error: unknown) => {
      if (tool.ctx.signal.aborted) throw error;
      process.exitCode = EXIT.failed;
      return { outcome: `FAILED: ${(error as Error).message}`, bytes: 0 };
    });
    results.push({ ...ref, ...result });
    say(`${i + 1}/${blocks.length} ${ref.folder}: ${result.outcome} ${readableBytes(result.bytes)}`);
  }
  if (json) print(`${JSON.stringify(results)}\n`);
}

async function copyOne(
  tool: BucketTool,
  from: Bucket,
  block: BucketBlock,
  target: Parameters<typeof copyBlock>[3],
  given: CopyOptions,
): Promise<{ outcome: string; bytes: number }> {
  if ((block.sizes.get(TOMBSTONES_FILE) ?? 0) > EMPTY_TOMBSTONES_BYTES && !given.ignoreTombstones)
    throw new VeronaError(
      'conflict',
      'samples of it are deleted, and would show again; compact it where it is first (clean_tombstones), or say --ignore-tombstones',
    );
  if (given.dryRun)
    return { outcome: 'would be copied', bytes: [...block.sizes.values()].reduce((a, b) => a + b, 0) };
  return copyBlock(tool.ctx, from, block, target, { checksum: given.checksum === true });
}

/** External labels of the copy. Throws when series would lose what tells them apart, or Thanos would refuse the block. */
function labelsOf(
  { meta, ref, seriesLabels = meta.labels }: BucketBlock,
  owner: string,
  layout: BlockLayout,
  { label = [], dropExternalLabels }: CopyOptions,
): Readonly<Record<string, string>> {
  const own = Object.entries(seriesLabels).filter(([name]) => !OWNER_LABELS.has(name));
  const added = label.map(parseLabel);
  if (layout === 'root') {
    const labels = Object.fromEntries([...own, ...added]);
    if (Object.keys(labels).length === 0)
      throw new VeronaError(
        'bad_data',
        "Thanos' layout needs an external label: say for example --label tenant_id=NAME",
      );
    return labels;
  }
  if (ref.layout === 'root' && own.length > 0 && !dropExternalLabels)
    throw new VeronaError(
      'bad_data',
      `${ref.folder}: series have the external labels ${own.map(([name]) => name).join(', ')}, which Cortex' layout does not give them; say --drop-external-labels to leave them behind`,
    );
  return Object.fromEntries([...(ref.layout === 'root' ? [] : own), ...added, [TENANT_LABEL, owner]]);
}

function parseLabel(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new VeronaError('bad_data', `not a label: ${JSON.stringify(text)}; write name=value`);
  return [text.slice(0, at), text.slice(at + 1).replace(/^"(.*)"$/, '$1')];
}

function layoutOf(text: string): BlockLayout {
  if (text === 'tenant' || text === 'cortex') return 'tenant';
  if (text === 'thanos') return 'root';
  throw new VeronaError('bad_data', `--layout is ${JSON.stringify(text)}, not tenant or thanos`);
}

/** The data directory itself, or one made out of the text for as long as it is needed. */
async function withDataDir(
  { disk, clock, random }: BucketTool,
  path: string,
  isText: boolean,
  use: (dir: string) => Promise<void>,
): Promise<void> {
  if (!isText) return use(path);
  const dir = mkdtempSync(join(tmpdir(), 'verona-upload-'));
  try {
    await createBlocksFromOpenMetrics({ disk, clock, random, inputPath: path, outputDir: dir });
    await use(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
