import type { Command } from 'commander';
import type { BucketBlock, TenantBlocks } from '../blocks/block-catalog.ts';
import { MARK_KINDS } from '../blocks/marks.ts';
import { formatDuration } from '../model/duration.ts';
import { alignColumns, readableBytes } from '../tsdb/tools/list.ts';
import { addBucketOptions, oneLine, print, withBucket } from './bucket-tool.ts';

/** `verona bucket ls|inspect|du`: what is there. */
export function addShowCommands(bucket: Command): void {
  addBucketOptions(bucket.command('ls').description('names of the blocks, a line each, by tenant'))
    .addHelpText('after', LS_HELP)
    .action((given) =>
      withBucket(given, async (tool, { json }) => {
        const blocks = all(await tool.tenants());
        if (json) return print(`${JSON.stringify(blocks.map(({ ref }) => ref))}\n`);
        for (const { ref } of blocks) print(`${ref.tenant}\t${ref.folder}\n`);
      }),
    );
  addBucketOptions(bucket.command('inspect').description('a table of the blocks by tenant and time'))
    .addHelpText('after', INSPECT_HELP)
    .action((given) =>
      withBucket(given, async (tool, { json }) => {
        const blocks = all(await tool.tenants()).sort(
          (a, b) => compare(a.ref.tenant, b.ref.tenant) || a.meta.mint - b.meta.mint,
        );
        print(
          json ? `${JSON.stringify(blocks.map(asJson))}\n` : alignColumns([HEADINGS, ...blocks.map(row)]),
        );
      }),
    );
  addBucketOptions(
    bucket.command('du').description('bytes by tenant and resolution, and what waits to be removed'),
  )
    .addHelpText('after', DU_HELP)
    .action((given) =>
      withBucket(given, async (tool, { json }) => {
        const usage = [...(await tool.tenants())].flatMap(([tenant, view]) => usageOf(tenant, view));
        if (json) return print(`${JSON.stringify(usage)}\n`);
        const rows = usage.map(({ tenant, what, blocks, bytes }) => [
          tenant,
          what,
          String(blocks),
          readableBytes(bytes),
        ]);
        print(alignColumns([['TENANT', 'WHAT', 'BLOCKS', 'SIZE'], ...rows]));
      }),
    );
}

const LS_HELP = `
Blocks in Cortex' layout are shown for every tenant, those in Thanos' layout with an option that says whose they are.

Examples:
  verona bucket ls --dir data/bucket
  verona bucket ls --objstore.config-file thanos.yml --thanos-tenant-label tenant_id
  verona bucket ls --objstore.config-file thanos.yml --thanos-tenant team-a --json
`;

const INSPECT_HELP = `
Example, the largest blocks of a tenant:
  verona bucket inspect --dir data/bucket --tenant team-a --json | jq -r 'sort_by(-.bytes)[:5][] | [.ulid, .bytes] | @tsv'
`;

const DU_HELP = `
WHAT is raw, 5m or 1h; "marked for deletion" goes by itself; "unfinished" are uploads under way or that broke off.

Example:
  verona bucket du --objstore.config-file bucket.yml
`;

const HEADINGS = [
  'TENANT',
  'BLOCK',
  'LAYOUT',
  'FROM',
  'UNTIL',
  'RANGE',
  'LEVEL',
  'RESOLUTION',
  'SERIES',
  'CHUNKS',
  'SIZE',
  'LABELS',
  'MARKS',
];

function all(tenants: ReadonlyMap<string, TenantBlocks>): BucketBlock[] {
  return [...tenants.values()].flatMap(({ whole }) => whole);
}

function row(block: BucketBlock): string[] {
  const { ref, meta } = block;
  const labels = Object.entries(meta.labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [
    ref.tenant,
    ref.ulid,
    ref.layout,
    new Date(meta.mint).toISOString(),
    new Date(meta.maxt).toISOString(),
    formatDuration(meta.maxt - meta.mint),
    String(meta.level),
    meta.resolutionMs === 0 ? 'raw' : formatDuration(meta.resolutionMs),
    String(meta.seriesCount),
    String(meta.chunkCount),
    readableBytes(bytesOf(block)),
    oneLine(labels.join(',')),
    marksOf(block).join(','),
  ];
}

function asJson(block: BucketBlock): object {
  const { ref, meta, uploadedMs, marks } = block;
  const { files: _files, ...rest } = meta;
  return { ...ref, ...rest, bytes: bytesOf(block), uploadedMs, marks };
}

function usageOf(tenant: string, { whole, unfinished }: TenantBlocks) {
  const groups = Map.groupBy(whole, ({ meta, marks }) => {
    if (marks.deletion) return 'marked for deletion';
    return meta.resolutionMs === 0 ? 'raw' : formatDuration(meta.resolutionMs);
  });
  const sum = (sizes: readonly { readonly sizes: ReadonlyMap<string, number> }[]) =>
    sizes.reduce((total, block) => total + bytesOf(block), 0);
  const usage = [...groups].map(([what, blocks]) => ({
    tenant,
    what,
    blocks: blocks.length,
    bytes: sum(blocks),
  }));
  if (unfinished.length > 0)
    usage.push({ tenant, what: 'unfinished', blocks: unfinished.length, bytes: sum(unfinished) });
  return usage;
}

function bytesOf({ sizes }: { readonly sizes: ReadonlyMap<string, number> }): number {
  return [...sizes.values()].reduce((total, size) => total + size, 0);
}

function marksOf({ marks }: BucketBlock): string[] {
  return MARK_KINDS.filter((kind) => marks[kind] !== undefined);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
