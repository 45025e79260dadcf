import type { Command } from 'commander';
import type { BucketBlock, TenantBlocks } from '../blocks/block-catalog.ts';
import { BlockMarker } from '../blocks/block-marker.ts';
import type { DeletionRequest } from '../blocks/deletion-request.ts';
import { DeletionRequests } from '../blocks/deletion-requests.ts';
import { planCleanup } from '../compactor/cleanup.ts';
import { type CompactorJob, jobBytes } from '../compactor/job.ts';
import { type CompactionPlan, planCompaction } from '../compactor/plan.ts';
import { planRewrites } from '../compactor/plan-rewrites.ts';
import { planUnsplit } from '../compactor/plan-unsplit.ts';
import { CORTEX_RANGES_MS } from '../compactor/rules.ts';
import { Metrics } from '../platform/metrics.ts';
import { blockText, doJob, type JobResult, printJobs, printResults } from './bucket-job.ts';
import { addBucketOptions, type BucketTool, say, withBucket } from './bucket-tool.ts';
import { newProgress } from './tool-progress.ts';

type Given = Readonly<Record<string, unknown>>;

/** What is there is looked at, not compacted: how old blocks are does not matter. */
const RULES = {
  rangesMs: CORTEX_RANGES_MS,
  settleMs: 0,
  replicaLabels: [],
  blocksMax: 64,
  indexBytesMax: 0,
  seriesMax: 0,
};
const PARTIAL_DELAY_MS = 48 * 3_600_000;
/** Also marks of a clock that is ahead. */
const DELETION_DELAY_MS = Number.NEGATIVE_INFINITY;

/** `verona bucket handover`: leaves a bucket to the compactor of Thanos or Cortex. */
export function addHandoverCommand(bucket: Command): void {
  addBucketOptions(
    bucket
      .command('handover')
      .description(
        "make a bucket ready for Thanos' or Cortex' compactor, which is to take over from Verona's",
      ),
  )
    .option('--dry-run', 'only say what would be done')
    .addHelpText('after', HELP)
    .action((given: Given) =>
      withBucket(
        given,
        async (tool, { json }) => {
          const jobs = await plannedJobs(tool);
          if (given.dryRun === true) {
            printJobs(jobs, json);
            return removeMarked(tool, true);
          }
          await markOutdated(tool);
          const results = await doJobs(tool, jobs);
          await markOutdated(tool);
          printResults(results, json);
          // What failed may still be needed as it was.
          if (results.every(({ report }) => report)) await removeMarked(tool, false);
        },
        { goesOn: true },
      ),
    );
}

async function doJobs(tool: BucketTool, jobs: readonly CompactorJob[]): Promise<JobResult[]> {
  const results: JobResult[] = [];
  const progress = newProgress(tool, 'jobs', jobs.map(jobBytes));
  try {
    for (const job of jobs) {
      const result = await doJob(tool, job, { dedup: 'one-to-one' }, progress);
      results.push(result);
      if (result.report && result.report.outputs.length === 0) await markAll(tool, job);
    }
  } finally {
    progress.close();
  }
  return results;
}

const HELP = `
Stop Verona's compactor first. Then this joins the parts of blocks that were split by series, rewrites blocks that still hold deleted
series, and removes what is marked for deletion at once: Thanos and Cortex take up marked blocks again for half of their
delete delay. Queries under way may fail for blocks that are removed under them; repeat them.
Exit code: 0 when the bucket is ready, 1 when something could not be done (nothing is removed then), 2 for a wrong command line.

Examples:
  verona bucket handover --objstore.config-file bucket.yml --thanos-tenant anonymous --dry-run
  verona bucket handover --dir data/bucket
`;

async function plannedJobs(tool: BucketTool): Promise<CompactorJob[]> {
  const { ctx, bucket, clock, random, log } = tool;
  const deletions = new DeletionRequests({ bucket, clock, random, log, metrics: new Metrics() });
  const jobs: CompactorJob[] = [];
  for (const [tenant, view] of await tool.tenants())
    jobs.push(...jobsOf(tool, tenant, view, await deletions.refresh(ctx, tenant)));
  return jobs;
}

function jobsOf(
  { clock }: BucketTool,
  tenant: string,
  { whole }: TenantBlocks,
  requests: readonly DeletionRequest[],
): CompactorJob[] {
  const { garbage } = planCompaction(tenant, whole, RULES, clock.now());
  const outdated = new Set(garbage.map(({ block }) => block));
  const counting = whole.filter((block) => !block.marks.deletion && !outdated.has(block));
  const { jobs, left } = planUnsplit(tenant, counting, requests);
  for (const block of left) tellLeft(block);
  const plan: CompactionPlan = { garbage, jobs, settled: [], overlapping: [] };
  return [...jobs, ...planRewrites(tenant, whole, plan, requests)];
}

function tellLeft(block: BucketBlock): void {
  process.exitCode = 1;
  say(`stays as it is, not all parts of its time are there: ${blockText(block)}`);
}

async function markOutdated(tool: BucketTool): Promise<void> {
  const marker = new BlockMarker(tool);
  for (const [tenant, { whole }] of await tool.tenants())
    for (const { block, coveredBy } of planCompaction(tenant, whole, RULES, tool.clock.now()).garbage)
      await marker.mark(tool.ctx, block.ref, 'deletion', {
        details: `its samples are in ${coveredBy.join(', ')}`,
      });
}

/** Nothing was left to write. */
async function markAll(tool: BucketTool, { blocks }: CompactorJob): Promise<void> {
  for (const { ref } of blocks)
    await new BlockMarker(tool).mark(tool.ctx, ref, 'deletion', { details: 'no sample is left of it' });
}

async function removeMarked(tool: BucketTool, isDry: boolean): Promise<void> {
  const marker = new BlockMarker(tool);
  const rules = { deletionDelayMs: DELETION_DELAY_MS, partialDelayMs: PARTIAL_DELAY_MS };
  let count = 0;
  for (const view of (await tool.tenants()).values())
    for (const item of planCleanup(view, rules, tool.clock.now())) {
      if (item.kind !== 'mark') count++;
      if (isDry) continue;
      if (item.kind === 'mark') await marker.unmark(tool.ctx, item.ref, item.mark);
      else await marker.delete(tool.ctx, item.ref);
    }
  say(`${count} blocks that were marked for deletion ${isDry ? 'would be' : 'are'} removed`);
}
