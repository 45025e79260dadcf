import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { type CompactorJob, jobBytes } from '../compactor/job.ts';
import { type JobOptions, type JobReport, runJob } from '../compactor/run-job.ts';
import { readableBytes } from '../tsdb/tools/list.ts';
import { type BucketTool, print, say, tellProgress } from './bucket-tool.ts';
import { EXIT } from './exit.ts';

/** What became of a job that was done by hand. */
export interface JobResult {
  readonly job: CompactorJob;
  /** Undefined when it failed. */
  readonly report: JobReport | undefined;
  readonly error?: string;
}

/** Does one job in this process, with a line before and after it. One that fails is told and sets the exit code; others may go on. */
export async function doJob(
  tool: BucketTool,
  job: CompactorJob,
  options: Omit<JobOptions, 'workDir'>,
): Promise<JobResult> {
  const workDir = await mkdtemp(join(tmpdir(), 'verona-bucket-'));
  say(jobText(job));
  try {
    const report = await runJob(tool.ctx, job, { workDir, ...options }, tool, ({ step, done }) =>
      tellProgress(`  ${step} ${Math.floor(done * 100)}%`),
    );
    return { job, report };
  } catch (error) {
    if (tool.ctx.signal.aborted) throw error;
    process.exitCode = EXIT.failed;
    const text = (error as Error).message;
    say(`FAILED: ${text}`);
    return { job, report: undefined, error: text };
  } finally {
    tellProgress('');
    await rm(workDir, { recursive: true, force: true });
  }
}

/** New blocks, a line each, or what was done as JSON. */
export function printResults(results: readonly JobResult[], json: boolean | undefined): void {
  if (json)
    print(
      `${JSON.stringify(
        results.map(({ job, report, error }) => ({
          ...plainJob(job),
          outcome: report ? 'done' : 'failed',
          into: report?.keepsSources && job.kind !== 'downsample' ? [] : (report?.outputs ?? []),
          ...(error !== undefined && { error }),
        })),
      )}\n`,
    );
  else for (const { report } of results) for (const ulid of report?.outputs ?? []) print(`${ulid}\n`);
}

/** What would be done. */
export function printJobs(jobs: readonly CompactorJob[], json: boolean | undefined): void {
  if (json) print(`${JSON.stringify(jobs.map(plainJob))}\n`);
  else
    for (const job of jobs)
      print(`${jobText(job)}\n${job.blocks.map(({ ref }) => `  ${ref.ulid}\n`).join('')}`);
  say(`${jobs.length} jobs`);
}

function plainJob({ kind, tenant, labels, resolutionMs, shards, blocks }: CompactorJob) {
  return { kind, tenant, labels, resolutionMs, shards, blocks: blocks.map(({ ref }) => ref.ulid) };
}

function jobText(job: CompactorJob): string {
  const { kind, tenant, blocks, shards } = job;
  const [from, to] = [blocks[0].mint, Math.max(...blocks.map(({ maxt }) => maxt))];
  const span = `${timeText(from)} … ${timeText(to)}`;
  const split = shards > 1 ? `, into ${shards} shards` : '';
  return `${kind} ${tenant}: ${span}, ${blocks.length} blocks, ${readableBytes(jobBytes(job))}${split}`;
}

export function blockText({ ref, meta }: BucketBlock): string {
  return `${ref.folder}: ${timeText(meta.mint)} … ${timeText(meta.maxt)}, resolution ${meta.resolutionMs} ms`;
}

function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
