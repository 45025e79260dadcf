import { formatDuration } from '../model/duration.ts';
import { type CompactorJob, jobBytes } from './job.ts';
import type { Progress, RunningJob, TenantTodo } from './progress.ts';

/** Lines of one list; the rest is counted. */
const LINES_MAX = 50;
/** Characters of why a job is not done. */
const WHY_MAX = 1000;

/** The compactor in text, for people: what runs, what is to be done and how long that may take, what was set aside. */
export function compactorPage(progress: Progress, concurrency: number, nowMs: number): string {
  const { jobs, blocks, bytes } = progress.todo();
  const eta = progress.etaSeconds(concurrency);
  const lines = [
    `to do: ${jobs} jobs over ${blocks} blocks, ${sizeText(bytes)}${eta === undefined ? '' : `, about ${formatDuration(Math.ceil(eta) * 1000)}`}`,
    `running: ${progress.running.size} of at most ${concurrency}`,
    ...[...progress.running].map((running) => `  ${runningText(running, nowMs)}`),
    ...(progress.shortages.size > 0 ? [`waiting for disk: ${progress.shortages.size}`] : []),
    ...(progress.failures.size > 0 ? [`failed, to be tried again: ${progress.failures.size}`] : []),
    '',
    ...[...progress.tenants].sort().flatMap(([tenant, todo]) => tenantLines(tenant, todo, progress)),
  ];
  return `${lines.join('\n')}\n`;
}

function runningText({ job, startedMs, progress }: RunningJob, nowMs: number): string {
  const percent = Math.floor(progress.done * 100);
  const age = formatDuration(Math.floor((nowMs - startedMs) / 1000) * 1000);
  const step = progress.step === 'wait' ? 'waiting for disk' : `${progress.step} ${percent}%`;
  return `${job.kind} ${job.tenant}: ${job.blocks.length} blocks, ${sizeText(jobBytes(job))}, ${step} after ${age}`;
}

function tenantLines(
  tenant: string,
  { jobs, quarantined, deletions = 0, problem }: TenantTodo,
  { shortages, failures }: Progress,
): string[] {
  return [
    `tenant ${tenant}: ${problem === undefined ? `${jobs.length} jobs to do` : `not looked after: ${problem}`}`,
    ...(deletions > 0 ? [`  ${deletions} deletions of series that blocks are to be rewritten for`] : []),
    ...listed(
      jobs,
      (job) =>
        jobText(job) +
        whyText('waits for disk', shortages.get(job.id)) +
        whyText('failed', failures.get(job.id)),
    ),
    ...listed(quarantined, ({ ulid, reason }) => `set aside ${ulid}: ${JSON.stringify(reason)}`),
    '',
  ];
}

function jobText(job: CompactorJob): string {
  const { kind, blocks, shards } = job;
  const [from, to] = [blocks[0].mint, Math.max(...blocks.map(({ maxt }) => maxt))];
  const split = shards > 1 ? `, into ${shards} shards` : '';
  return `${kind} ${timeText(from)} … ${timeText(to)}, ${blocks.length} blocks, ${sizeText(jobBytes(job))}${split}`;
}

function whyText(what: string, why: string | undefined): string {
  return why === undefined ? '' : `, ${what}: ${JSON.stringify(why.slice(0, WHY_MAX))}`;
}

function listed<T>(items: readonly T[], lineOf: (item: T) => string): string[] {
  const lines = items.slice(0, LINES_MAX).map((item) => `  ${lineOf(item)}`);
  return items.length > LINES_MAX ? [...lines, `  … and ${items.length - LINES_MAX} more`] : lines;
}

function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().slice(0, 16).replace('T', ' ') : String(ms);
}

function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  let size = bytes;
  for (; size >= 1024 && i < units.length - 1; i++) size /= 1024;
  return `${size < 10 && i > 0 ? size.toFixed(1) : Math.round(size)} ${units[i]}`;
}
