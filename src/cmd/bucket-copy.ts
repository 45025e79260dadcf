import { statSync } from 'node:fs';
import type { Command } from 'commander';
import { BlockCatalog, type BucketBlock } from '../blocks/block-catalog.ts';
import { type BlockLayout, type BlockRef, blockRef } from '../blocks/layout.ts';
import { readTenantDeletion } from '../blocks/tenant-deletion.ts';
import { VeronaError } from '../model/errors.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { openBucket } from '../objstore/open-bucket.ts';
import { Metrics } from '../platform/metrics.ts';
import { checkTenantId } from '../tenancy/tenant-id.ts';
import { readableBytes } from '../tsdb/tools/list.ts';
import { type CopiedBlock, type CopyRules, copyOne } from './bucket-copy-one.ts';
import { blockBytes } from './bucket-job.ts';
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
import { withTextBlocks } from './text-blocks.ts';
import { newProgress } from './tool-progress.ts';

interface CopyOptions extends Record<string, unknown> {
  readonly layout: string;
  readonly label?: readonly string[];
  readonly tenantLabel?: string;
  readonly replicaLabel?: readonly string[];
  readonly dropExternalLabels?: boolean;
  readonly ignoreTombstones?: boolean;
  readonly checksum?: boolean;
  readonly dryRun?: boolean;
}

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
    .addHelpText('after', UPLOAD_HELP)
    .action(upload);
  addCopyOptions(
    bucket
      .command('copy')
      .alias('replicate')
      .description('copy blocks into another bucket or the other layout'),
  )
    .argument('[ulid...]', 'blocks; without any all that are not marked for deletion')
    .option('--to.config-file <path>', "the target, in the form of Thanos' objstore.yml")
    .option('--to.config <yaml>', 'the same as text')
    .option('--to.dir <path>', 'a target in a folder')
    .option('--to-tenant <name>', 'the owner there; without it the same as here')
    .option(
      '--tenant-label <name>',
      "into Thanos' layout: the external label that names the owner; empty for none",
      'tenant_id',
    )
    .option(
      '--replica-label <name...>',
      "into Cortex' layout: external labels that stay in meta.json, for the compactor to merge replicas by",
    )
    .option(
      '--drop-external-labels',
      "into Cortex' layout: leave external labels behind, as Cortex' thanosconvert does, although series of different ones become one",
    )
    .addHelpText('after', COPY_HELP)
    .action(copy);
}

const UPLOAD_HELP = `
A block that is there already is not sent again, so an upload that was interrupted goes on when it is started again. Blocks
made of the same text for the same owner are the same blocks.
Exit code: 0 when all blocks are there, 1 when one is not, 2 for a wrong command line.

Examples:
  verona bucket upload /var/lib/prometheus --objstore.config-file bucket.yml --tenant team-a
  verona bucket upload history.om --openmetrics --dir data/bucket --tenant team-a
`;

const COPY_HELP = `
From Thanos' layout into Cortex': the owner of a block is what its external label --thanos-tenant-label says, else
--thanos-tenant, or --to-tenant for all. Its other external labels are put on its series, so that queries give what Thanos
gave: the block is fetched, written anew and read back on this machine. With --drop-external-labels files are copied as they are.
From Cortex' layout into Thanos': the external label --tenant-label names the owner; files are copied as they are.
Marks stay behind. A block with deleted samples that are still in its files is refused (--ignore-tombstones).

A copy that was interrupted goes on when it is started again. Sizes are compared, with --checksum all bytes.
Exit code: 0 when all blocks are there, 1 when one is not, 2 for a wrong command line.

Examples:
  verona bucket copy --objstore.config-file thanos.yml --thanos-tenant-label tenant_id --to.config-file cortex.yml
  verona bucket copy --dir data/bucket --tenant team-a --layout thanos --label cluster=eu --to.config-file thanos.yml
`;

function addCopyOptions(command: Command): Command {
  return addBucketOptions(command)
    .option(
      '--layout <tenant|thanos>',
      'where blocks lie: below their tenant as Cortex has it, or directly as Thanos has it',
      'tenant',
    )
    .option('--label <name=value...>', "external labels of the blocks; Thanos' layout needs one")
    .option('--ignore-tombstones', 'take blocks with deleted samples, which then show again')
    .option('--checksum', 'read everything back and compare')
    .option('--dry-run', 'only say what would be copied');
}

async function upload(path: string, given: CopyOptions & { readonly openmetrics?: boolean }): Promise<void> {
  const rules = rulesOf(given);
  checkPath(path);
  await withBucket(
    given,
    async (tool, { tenant, json }) => {
      if (tenant === undefined) throw new VeronaError('bad_data', 'say whose the blocks are with --tenant');
      const owner = checkTenantId(tenant);
      const uploadFrom = async (dir: string) => {
        const from = await openBucket({ type: 'FILESYSTEM', config: { directory: dir } }, tool);
        const catalog = new BlockCatalog(
          { ignoreDeletionMarksDelayMs: 0, ...rootTenancy('', owner) },
          { bucket: from, clock: tool.clock, log: toolLog, metrics: new Metrics() },
        );
        await catalog.tenants(tool.ctx);
        const { whole } = await catalog.refresh(tool.ctx, owner);
        if (whole.length === 0) {
          process.exitCode = EXIT.failed;
          say(`no block in ${path}${given.openmetrics === true ? '' : ' (text is read with --openmetrics)'}`);
        }
        await copyAll(tool, from, whole, tool.bucket, () => owner, rules, json === true);
      };
      if (given.openmetrics === true)
        await withTextBlocks(tool, path, { owner, layout: rules.layout, labels: rules.labels }, uploadFrom);
      else await uploadFrom(path);
    },
    { mayCreate: true, goesOn: true },
  );
}

async function copy(ulids: string[], given: CopyOptions & { readonly toTenant?: string }): Promise<void> {
  const rules = rulesOf(given);
  await withBucket(
    given,
    async (tool, { json }) => {
      const text = (name: string) => given[name] as string | undefined;
      const names = { configFile: text('to.configFile'), config: text('to.config'), dir: text('to.dir') };
      const isSame = Object.values(names).every((name) => name === undefined);
      const to = isSame
        ? tool.bucket
        : await openNamed(names, tool.counts, ['--to.config-file', '--to.config', '--to.dir']);
      const owner = given.toTenant === undefined ? undefined : checkTenantId(given.toTenant);
      try {
        const blocks = chosenBlocks(await tool.tenants(), ulids).filter(({ marks }) => !marks.deletion);
        const ownerOf = (block: BucketBlock) => owner ?? block.ref.tenant;
        await copyAll(tool, tool.bucket, blocks, to, ownerOf, rules, json === true);
      } finally {
        if (!isSame) await to.close();
      }
    },
    { goesOn: true },
  );
}

async function copyAll(
  tool: BucketTool,
  from: Bucket,
  blocks: readonly BucketBlock[],
  to: Bucket,
  ownerOf: (block: BucketBlock) => string,
  rules: CopyRules,
  json: boolean,
): Promise<void> {
  for (const owner of new Set(blocks.map(ownerOf))) await checkOwner(tool, to, owner);
  const results: CopiedBlock[] = [];
  const progress = newProgress(tool, 'blocks', blocks.map(blockBytes));
  try {
    for (const [i, block] of blocks.entries()) {
      const owner = ownerOf(block);
      progress.begin(block.ref.folder, 'written');
      const result = await copyOne(tool, from, block, to, owner, rules, progress).catch((error: unknown) => {
        // The same for every block: nothing is begun.
        if (tool.ctx.signal.aborted || (error as VeronaError).code === 'bad_data') throw error;
        process.exitCode = EXIT.failed;
        return failedCopy(blockRef(owner, block.ref.ulid, rules.layout), error as Error);
      });
      progress.end();
      results.push(result);
      say(`${i + 1}/${blocks.length} ${lineOf(block, result)}`);
    }
  } finally {
    progress.close();
  }
  const failed = results.filter(({ outcome }) => outcome.startsWith('FAILED')).length;
  const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
  say(`${results.length - failed} blocks, ${readableBytes(bytes)}${failed > 0 ? `; ${failed} FAILED` : ''}`);
  if (json) print(`${JSON.stringify(results.map(({ ref, ...result }) => ({ ...ref, ...result })))}\n`);
}

function failedCopy(ref: BlockRef, { message }: Error): CopiedBlock {
  return { ref, outcome: `FAILED: ${message}`, bytes: 0, seriesLabels: {} };
}

function lineOf({ ref }: BucketBlock, result: CopiedBlock): string {
  const place = ref.folder === result.ref.folder ? ref.folder : `${ref.folder} → ${result.ref.folder}`;
  const labels = Object.entries(result.seriesLabels).map(
    ([name, value]) => `${name}=${JSON.stringify(value)}`,
  );
  const on = labels.length > 0 ? `, with ${labels.join(', ')} on its series` : '';
  return `${place}: ${result.outcome} ${readableBytes(result.bytes)}${on}`;
}

/** What comes for a tenant that is being deleted would be deleted with it. */
async function checkOwner({ ctx }: BucketTool, to: Bucket, owner: string): Promise<void> {
  if (await readTenantDeletion(ctx, to, owner))
    throw new VeronaError(
      'conflict',
      `tenant ${owner} is being deleted there: its deletion mark is not gone yet`,
    );
}

function rulesOf(given: CopyOptions): CopyRules {
  return {
    layout: layoutOf(given.layout),
    labels: Object.fromEntries((given.label ?? []).map(parseLabel)),
    tenantLabel: given.tenantLabel ?? '',
    replicaLabels: given.replicaLabel ?? [],
    dropExternalLabels: given.dropExternalLabels === true,
    ignoreDeleted: given.ignoreTombstones === true,
    checksum: given.checksum === true,
    dryRun: given.dryRun === true,
  };
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

function checkPath(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined)
    throw new VeronaError('bad_data', `${JSON.stringify(path)} is not there`);
}
