import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { BucketBlock, TenantBlocks } from '../blocks/block-catalog.ts';
import { BlockMarker } from '../blocks/block-marker.ts';
import { checkSelective, type DeletionRequest } from '../blocks/deletion-request.ts';
import type { CompactorJob } from '../compactor/job.ts';
import { jobBytes } from '../compactor/job.ts';
import { makeJob } from '../compactor/make-job.ts';
import { planCompaction } from '../compactor/plan.ts';
import { planDownsampling } from '../compactor/plan-downsampling.ts';
import { expiredBlocks, type Retention } from '../compactor/retention.ts';
import type { CompactionRules } from '../compactor/rules.ts';
import { type JobReport, runJob } from '../compactor/run-job.ts';
import { parseDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import { parseMatchers } from '../promql/parser/parse.ts';
import { newUlid } from '../tsdb/block/ulid.ts';
import { addBucketOptions, type BucketTool, chosenBlocks, print, say, withBucket } from './bucket-tool.ts';

type Given = Readonly<Record<string, unknown>>;

/** Plans are made again after each round of jobs, at most this often. */
const ROUNDS_MAX = 20;

/** `verona bucket compact|downsample|retention|rewrite`: what the compactor does, once and by hand. */
export function addWorkCommands(bucket: Command): void {
  addCompact(bucket);
  addDownsample(bucket);
  addRetention(bucket);
  addRewrite(bucket);
}

function addCompact(bucket: Command): void {
  addBucketOptions(
    bucket
      .command('compact')
      .description('join blocks until nothing is left to join, or say with --plan what would be joined'),
  )
    .option('--plan', 'only say what would be done')
    .option('--block-ranges <durations>', 'spans that blocks are joined into', '2h,12h,24h')
    .option('--settle-delay <duration>', 'leave spans and blocks alone that are younger than this', '1h')
    .option('--replica-label <name...>', 'external labels that tell replicas apart; they are dropped')
    .option('--dedup <how>', 'how replicas are merged: penalty or one-to-one', 'penalty')
    .option('--max-index-size-bytes <n>', 'split results by series beyond this', String(16 * 2 ** 30))
    .action((given: Given) => {
      const rules = rulesOf(given);
      return withBucket(given, async (tool, { json }) => {
        const plan = (tenant: string, { whole }: TenantBlocks) =>
          planCompaction(tenant, whole, rules, tool.clock.now()).jobs;
        if (given.plan === true) return printJobs(await planned(tool, plan), json);
        for (let round = 0; round < ROUNDS_MAX; round++) {
          await markGarbage(tool, rules);
          const jobs = await planned(tool, plan);
          if (jobs.length === 0) break;
          for (const job of jobs)
            await work(tool, job, given.dedup === 'one-to-one' ? 'one-to-one' : 'penalty');
        }
        await markGarbage(tool, rules);
      });
    });
}

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
    .action((given: Given) => {
      const after = {
        fiveMinutesAfterMs: durationOf('--5m-after', given['5mAfter']),
        oneHourAfterMs: durationOf('--1h-after', given['1hAfter']),
      };
      const rules = rulesOf({});
      return withBucket(given, async (tool, { json }) => {
        const plan = (tenant: string, { whole }: TenantBlocks) => {
          const nowMs = tool.clock.now();
          return planDownsampling(tenant, whole, planCompaction(tenant, whole, rules, nowMs), after, nowMs);
        };
        if (given.dryRun === true) return printJobs(await planned(tool, plan), json);
        // Once from raw to 5m, then from 5m to 1h.
        for (let pass = 0; pass < 2; pass++)
          for (const job of await planned(tool, plan)) await work(tool, job, 'penalty');
      });
    });
}

function addRetention(bucket: Command): void {
  addBucketOptions(bucket.command('retention').description('mark blocks for deletion that are too old'))
    .option('--dry-run', 'only say what would be done')
    .option('--resolution-raw <duration>', 'how long raw blocks are kept; 0s for ever', '0s')
    .option('--resolution-5m <duration>', 'the same for 5m blocks', '0s')
    .option('--resolution-1h <duration>', 'the same for 1h blocks', '0s')
    .action((given: Given) => {
      const retention: Retention = {
        rawMs: durationOf('--resolution-raw', given.resolutionRaw),
        fiveMinutesMs: durationOf('--resolution-5m', given.resolution5m),
        oneHourMs: durationOf('--resolution-1h', given.resolution1h),
      };
      return withBucket(given, async (tool) => {
        const marker = new BlockMarker(tool);
        for (const { whole } of (await tool.tenants()).values())
          for (const { block } of expiredBlocks(whole, retention, tool.clock.now(), undefined)) {
            print(`${given.dryRun === true ? 'would mark' : 'marks'} ${lineOf(block)}\n`);
            if (given.dryRun === true) continue;
            await marker.mark(tool.ctx, block.ref, 'deletion', { details: 'its retention is over' });
          }
      });
    });
}

function addRewrite(bucket: Command): void {
  addBucketOptions(bucket.command('rewrite').description('write blocks anew without some series'))
    .argument('<ulid...>')
    .requiredOption('--delete <selector...>', 'series to leave out')
    .option(
      '--min-time <ms>',
      'first time that is left out, ms since the epoch',
      String(Number.MIN_SAFE_INTEGER),
    )
    .option('--max-time <ms>', 'last time that is left out', String(Number.MAX_SAFE_INTEGER))
    .option('--dry-run', 'only say what would be done')
    .action((ulids: string[], given: Given) => {
      const selectors = (given.delete as string[]).map((selector) => parseMatchers(selector));
      checkSelective(selectors);
      const matcherSets = selectors.map((set) => set.map(({ name, type, value }) => ({ name, type, value })));
      const [mint, maxt] = [timeOf('--min-time', given.minTime), timeOf('--max-time', given.maxTime)];
      return withBucket(given, async (tool) => {
        const request: DeletionRequest = {
          id: newUlid(tool.clock, tool.random),
          timeMs: tool.clock.now(),
          mint,
          maxt,
          matcherSets,
        };
        for (const block of chosenBlocks(await tool.tenants(), ulids))
          await rewrite(tool, block, request, given);
      });
    });
}

async function rewrite(
  tool: BucketTool,
  block: BucketBlock,
  request: DeletionRequest,
  given: Given,
): Promise<void> {
  const { resolutionMs } = block.meta;
  const shape = { kind: 'rewrite', resolutionMs, shards: 1, replicaLabels: [] } as const;
  const job = makeJob(block.ref.tenant, [block], [request], shape);
  if (given.dryRun === true) return print(`would rewrite ${lineOf(block)}\n`);
  const { keepsSources } = await work(tool, job, 'penalty');
  if (!keepsSources)
    await new BlockMarker(tool).mark(tool.ctx, block.ref, 'deletion', { details: 'rewritten by hand' });
}

async function planned(
  { tenants }: BucketTool,
  plan: (tenant: string, view: TenantBlocks) => readonly CompactorJob[],
): Promise<CompactorJob[]> {
  return [...(await tenants())].flatMap(([tenant, view]) => plan(tenant, view));
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

async function work(
  tool: BucketTool,
  job: CompactorJob,
  dedup: 'penalty' | 'one-to-one',
): Promise<JobReport> {
  const workDir = await mkdtemp(join(tmpdir(), 'verona-bucket-'));
  say(describe(job));
  try {
    const report = await runJob(tool.ctx, job, { workDir, dedup }, tool);
    for (const ulid of report.outputs) print(`${ulid}\n`);
    return report;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

function printJobs(jobs: readonly CompactorJob[], json: boolean | undefined): void {
  const plain = jobs.map(({ kind, tenant, labels, resolutionMs, shards, blocks }) => {
    return { kind, tenant, labels, resolutionMs, shards, blocks: blocks.map(({ ref }) => ref.ulid) };
  });
  if (json) print(`${JSON.stringify(plain)}\n`);
  else
    for (const job of jobs)
      print(`${describe(job)}\n${job.blocks.map(({ ref }) => `  ${ref.ulid}\n`).join('')}`);
  say(`${jobs.length} jobs`);
}

function describe(job: CompactorJob): string {
  const { kind, tenant, blocks, shards } = job;
  const [from, to] = [blocks[0].mint, Math.max(...blocks.map(({ maxt }) => maxt))];
  const span = `${timeText(from)} … ${timeText(to)}`;
  const split = shards > 1 ? `, into ${shards} shards` : '';
  return `${kind} ${tenant}: ${span}, ${blocks.length} blocks, ${jobBytes(job)} bytes${split}`;
}

function lineOf({ ref, meta }: BucketBlock): string {
  return `${ref.folder}: ${timeText(meta.mint)} … ${timeText(meta.maxt)}, resolution ${meta.resolutionMs} ms`;
}

function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}

function rulesOf(given: Given): CompactionRules {
  const ranges = String(given.blockRanges ?? '2h,12h,24h').split(',');
  return {
    rangesMs: ranges.map((text) => durationOf('--block-ranges', text)),
    settleMs: durationOf('--settle-delay', given.settleDelay ?? '1h'),
    replicaLabels: (given.replicaLabel as string[] | undefined) ?? [],
    blocksMax: 64,
    indexBytesMax: Number(given.maxIndexSizeBytes ?? 0),
    seriesMax: 0,
  };
}

function timeOf(name: string, text: unknown): number {
  const ms = /^-?\d{1,16}$/.test(String(text)) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(ms))
    throw new VeronaError('bad_data', `${name}: not ms since the epoch: ${JSON.stringify(text)}`);
  return ms;
}

function durationOf(name: string, text: unknown): number {
  const ms = parseDuration(String(text));
  if (ms === undefined) throw new VeronaError('bad_data', `${name}: not a duration: ${JSON.stringify(text)}`);
  return ms;
}
