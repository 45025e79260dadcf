import { type Command, Option } from 'commander';
import type { BucketBlock, TenantBlocks } from '../blocks/block-catalog.ts';
import { BlockMarker } from '../blocks/block-marker.ts';
import { type CompactorJob, jobBytes } from '../compactor/job.ts';
import { isSettled, planCompaction } from '../compactor/plan.ts';
import { planDownsampling } from '../compactor/plan-downsampling.ts';
import type { CompactionRules } from '../compactor/rules.ts';
import { areSpans } from '../config/fields.ts';
import { formatDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import type { ReplicaDedup } from '../tsdb/compact/merge-blocks.ts';
import { addHandoverCommand } from './bucket-handover.ts';
import { doJob, type JobResult, printJobs, printResults } from './bucket-job.ts';
import { addRetentionCommand } from './bucket-retention.ts';
import { addRewriteCommand } from './bucket-rewrite.ts';
import { addBucketOptions, type BucketTool, countOf, durationOf, say, withBucket } from './bucket-tool.ts';
import { newProgress } from './tool-progress.ts';

type Given = Readonly<Record<string, unknown>>;

/** Plans are made again after each round of jobs, at most this often. */
const ROUNDS_MAX = 20;

/** `verona bucket compact|downsample|retention|rewrite|handover`: what the compactor does, once and by hand. */
export function addWorkCommands(bucket: Command): void {
  addCompact(bucket);
  addDownsample(bucket);
  addRetentionCommand(bucket);
  addRewriteCommand(bucket);
  addHandoverCommand(bucket);
}

function addCompact(bucket: Command): void {
  addBucketOptions(
    bucket
      .command('compact')
      .description('join blocks until nothing is left to join, or say with --plan what would be joined'),
  )
    .option('--plan', 'only say what would be done')
    .option('--dry-run', 'the same')
    .option('--block-ranges <durations>', 'spans that blocks are joined into', '2h,12h,24h')
    .option('--settle-delay <duration>', 'leave spans and blocks alone that are younger than this', '1h')
    .option('--replica-label <name...>', 'external labels that tell replicas apart; they are dropped')
    .addOption(
      new Option('--dedup <how>', 'how replicas are merged')
        .choices(['penalty', 'one-to-one'])
        .default('penalty'),
    )
    .option('--max-index-size-bytes <n>', 'split results by series beyond this', String(16 * 2 ** 30))
    .addHelpText('after', COMPACT_HELP)
    .action((given: Given) => {
      const rules = rulesOf(given);
      const dedup = given.dedup as ReplicaDedup;
      return withBucket(
        given,
        async (tool, { json }) => {
          const plan = (tenant: string, { whole }: TenantBlocks) =>
            planCompaction(tenant, whole, rules, tool.clock.now()).jobs;
          await tellYoung(tool, rules);
          if (given.plan === true || given.dryRun === true) return printJobs(await planned(tool, plan), json);
          const results: JobResult[] = [];
          const failed = new Set<string>();
          for (let round = 0; round < ROUNDS_MAX; round++) {
            await markGarbage(tool, rules);
            const jobs = (await planned(tool, plan)).filter(({ id }) => !failed.has(id));
            if (jobs.length === 0) break;
            await doJobs(tool, jobs, dedup, async (result) => {
              if (!result.report) failed.add(result.job.id);
              await markEmptied(tool, result);
              results.push(result);
            });
          }
          await markGarbage(tool, rules);
          printResults(results, json);
        },
        GOES_ON,
      );
    });
}

/** One job after the other. */
async function doJobs(
  tool: BucketTool,
  jobs: readonly CompactorJob[],
  dedup: ReplicaDedup,
  ended: (result: JobResult) => Promise<void>,
): Promise<void> {
  const progress = newProgress(tool, 'jobs', jobs.map(jobBytes));
  try {
    for (const job of jobs) await ended(await doJob(tool, job, { dedup }, progress));
  } finally {
    progress.close();
  }
}

const GOES_ON = { goesOn: true };

const COMPACT_HELP = `
Sources are marked for deletion once their result is there; verona bucket cleanup, or a compactor, removes them later.
May run beside a compactor: a job that both do makes two equal blocks, of which one stays.
Exit code: 0 when all jobs were done, 1 when one failed (the others are done all the same), 2 for a wrong command line.

Examples:
  verona bucket compact --plan --dir data/bucket
  verona bucket compact --objstore.config-file bucket.yml --tenant team-a --replica-label prometheus_replica
`;

function addDownsample(bucket: Command): void {
  addBucketOptions(
    bucket.command('downsample').description('make blocks of 5m resolution of raw ones, and of 1h of those'),
  )
    .option('--dry-run', 'only say what would be done')
    .option(
      '--5m-after <duration>',
      'whatever their span, raw blocks this old; 0s for only those that span 40h',
      '40h',
    )
    .option('--1h-after <duration>', 'the same for 5m blocks; 0s for only those that span 10d', '10d')
    .option(
      '--settle-delay <duration>',
      'leave blocks alone that are younger than this: others may join them',
      '1h',
    )
    .addHelpText('after', DOWNSAMPLE_HELP)
    .action((given: Given) => {
      const after = {
        fiveMinutesAfterMs: durationOf('--5m-after', given['5mAfter']),
        oneHourAfterMs: durationOf('--1h-after', given['1hAfter']),
      };
      const rules = rulesOf({ settleDelay: given.settleDelay });
      return withBucket(
        given,
        async (tool, { json }) => {
          await tellYoung(tool, rules);
          const plan = (tenant: string, { whole }: TenantBlocks) => {
            const nowMs = tool.clock.now();
            return planDownsampling(tenant, whole, planCompaction(tenant, whole, rules, nowMs), after, nowMs);
          };
          if (given.dryRun === true) return printJobs(await planned(tool, plan), json);
          const results: JobResult[] = [];
          // Once from raw to 5m, then from 5m to 1h.
          for (let pass = 0; pass < 2; pass++) {
            const isNew = ({ id }: CompactorJob) => !results.some(({ job }) => job.id === id);
            const jobs = (await planned(tool, plan)).filter(isNew);
            await doJobs(tool, jobs, 'penalty', async (result) => void results.push(result));
          }
          printResults(results, json);
        },
        GOES_ON,
      );
    });
}

const DOWNSAMPLE_HELP = `
Raw blocks stay; only those are downsampled that no compaction will join any more: see verona bucket compact.
Exit code: 0 when all jobs were done, 1 when one failed, 2 for a wrong command line.

Example:
  verona bucket downsample --dry-run --dir data/bucket
`;

async function planned(
  { tenants }: BucketTool,
  plan: (tenant: string, view: TenantBlocks) => readonly CompactorJob[],
): Promise<CompactorJob[]> {
  return [...(await tenants())].flatMap(([tenant, view]) => plan(tenant, view));
}

/** Why nothing happens to blocks that were just uploaded. */
async function tellYoung(tool: BucketTool, { settleMs }: CompactionRules): Promise<void> {
  const blocks = [...(await tool.tenants()).values()].flatMap(({ whole }) => whole);
  const waits = (block: BucketBlock) =>
    !block.marks.deletion && !isSettled(block, settleMs, tool.clock.now());
  const { length } = blocks.filter(waits);
  if (length > 0)
    say(
      `note: ${length} blocks were made less than ${formatDuration(settleMs)} ago and wait (--settle-delay)`,
    );
}

/** Where nothing was left to write, no result covers the sources. */
async function markEmptied(tool: BucketTool, { job, report }: JobResult): Promise<void> {
  if (!report || report.keepsSources || report.outputs.length >= job.shards) return;
  const marker = new BlockMarker(tool);
  for (const { ref } of job.blocks)
    await marker.mark(tool.ctx, ref, 'deletion', {
      details: 'compaction left no samples, or not of every shard',
    });
}

/** Sources of results that are there, also of a run that broke off. */
async function markGarbage(tool: BucketTool, rules: CompactionRules): Promise<void> {
  const marker = new BlockMarker(tool);
  for (const [tenant, { whole }] of await tool.tenants())
    for (const { block, coveredBy } of planCompaction(tenant, whole, rules, tool.clock.now()).garbage)
      await marker.mark(tool.ctx, block.ref, 'deletion', {
        details: `its samples are in ${coveredBy.join(', ')}`,
      });
}

function rulesOf(given: Given): CompactionRules {
  const ranges = String(given.blockRanges ?? '2h,12h,24h')
    .split(',')
    .map((text) => text.trim());
  const rangesMs = ranges.map((text) => durationOf('--block-ranges', text));
  if (!areSpans(ranges))
    throw new VeronaError(
      'bad_data',
      `--block-ranges: not ascending, each a multiple of the one before: ${JSON.stringify(ranges.join(','))}`,
    );
  return {
    rangesMs,
    settleMs: durationOf('--settle-delay', given.settleDelay ?? '1h'),
    replicaLabels: (given.replicaLabel as string[] | undefined) ?? [],
    blocksMax: 64,
    indexBytesMax: countOf('--max-index-size-bytes', given.maxIndexSizeBytes ?? 0),
    seriesMax: 0,
  };
}
