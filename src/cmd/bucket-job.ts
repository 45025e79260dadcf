import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { type CompactorJob, jobBytes } from '../compactor/job.ts';
import { type JobOptions, type JobProgress, type JobReport, runJob } from '../compactor/run-job.ts';
import { readableBytes } from '../tsdb/tools/list.ts';
import { type BucketTool, print, say } from './bucket-tool.ts';
import { EXIT } from './exit.ts';
import type { Progress } from './progress.ts';

/** What became of a job that was done by hand. */
export interface JobResult {
  readonly job: CompactorJob;
  /** Undefined when it failed. */
  readonly report: JobReport | undefined;
  readonly error?: string;
}

/** Does one job in this process, the next one of `progress`, with a line before it. One that fails is told and sets the exit code; others may go on. */
export async function doJob(
  tool: BucketTool,
  job: CompactorJob,
  options: Omit<JobOptions, 'workDir'>,
  progress: Progress,
): Promise<JobResult> {
  const workDir = await mkdtemp(join(tmpdir(), 'verona-bucket-'));
  say(jobText(job));
  try {
    const onProgress = stepTeller(progress, `${job.kind} ${job.tenant}`);
    const report = await runJob(tool.ctx, job, { workDir, ...options }, tool, onProgress);
    return { job, report };
  } catch (error) {
    if (tool.ctx.signal.aborted) throw error;
    process.exitCode = EXIT.failed;
    const text = (error as Error).message;
    say(`FAILED: ${text}`);
    return { job, report: undefined, error: text };
  } finally {
    progress.end();
    await rm(workDir, { recursive: true, force: true });
  }
}

/** Begins the next thing of `progress`, and tells it the steps of the job that is done for it. */
export function stepTeller(progress: Progress, name: string): (step: JobProgress) => void {
  progress.begin(name);
  return ({ step, done }) => {
    const [from, share] = SHARES[step];
    progress.step(step, PARTS[step] ?? done, from, share);
  };
}

/** Where in a job each step begins, and its part of the time, about. */
const SHARES: Readonly<Record<JobProgress['step'], readonly [number, number]>> = {
  wait: [0, 0],
  download: [0, 0.3],
  merge: [0.3, 0.5],
  downsample: [0.3, 0.5],
  repair: [0.3, 0.5],
  verify: [0.8, 0.1],
  upload: [0.9, 0.1],
};

/** Steps that are as far as their bytes are. */
const PARTS: Partial<Record<JobProgress['step'], 'read' | 'written'>> = {
  download: 'read',
  upload: 'written',
};

/** Bytes of all files of a block. */
export function blockBytes({ sizes }: Pick<BucketBlock, 'sizes'>): number {
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

/** New blocks, a line each, or what was done as JSON; and a sentence. */
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
  say(resultText(results));
}

function resultText(results: readonly JobResult[]): string {
  const done = results.flatMap(({ report }) => report ?? []);
  const blocks = done.reduce((sum, { outputs }) => sum + outputs.length, 0);
  const bytes = done.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  const failed = results.length - done.length;
  if (results.length === 0) return 'nothing to do';
  return `${done.length} jobs done: ${blocks} new blocks out of ${readableBytes(bytes)}${failed > 0 ? `; ${failed} FAILED` : ''}`;
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
