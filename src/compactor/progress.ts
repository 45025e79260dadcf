import { type CompactorJob, type JobKind, jobBytes } from './job.ts';
import type { JobProgress } from './run-job.ts';

/** A job under way. */
export interface RunningJob {
  readonly job: CompactorJob;
  readonly startedMs: number;
  progress: JobProgress;
}

/** What one tenant still has to be done. */
export interface TenantTodo {
  readonly jobs: readonly CompactorJob[];
  readonly quarantined: readonly { readonly ulid: string; readonly reason: string }[];
  /** Deletions of series that blocks are still to be rewritten for. */
  readonly deletions?: number;
  /** Why the tenant could not be looked at; undefined when it could. */
  readonly problem?: string;
}

/** Jobs remembered for speed. */
const SPEEDS = 20;

/** The backlog of the compactor and how fast it shrinks, kept for `/compactor` and the metrics. */
export class Progress {
  readonly running = new Set<RunningJob>();
  readonly tenants = new Map<string, TenantTodo>();
  /** By id of a job that the disk had no room for when it was last tried: what was missing. */
  readonly shortages = new Map<string, string>();
  /** By id of a job that failed when it was last tried: why. It waits for its turn to be tried again. */
  readonly failures = new Map<string, string>();
  /** Bytes and ms of the last jobs. */
  readonly #speeds: { readonly bytes: number; readonly ms: number }[] = [];

  noteSpeed(bytes: number, ms: number): void {
    this.#speeds.push({ bytes, ms });
    if (this.#speeds.length > SPEEDS) this.#speeds.shift();
  }

  /** Jobs of the tenant that there are no more do not wait for disk or another try either. */
  forgetOthers(tenant: string, jobs: readonly CompactorJob[]): void {
    const ids = new Set(jobs.map(({ id }) => id));
    for (const waiting of [this.shortages, this.failures])
      for (const id of waiting.keys()) if (id.startsWith(`${tenant}/`) && !ids.has(id)) waiting.delete(id);
  }

  /** The backlog, of one kind of jobs or of all. */
  todo(kind?: JobKind): { readonly jobs: number; readonly blocks: number; readonly bytes: number } {
    const todo = { jobs: 0, blocks: 0, bytes: 0 };
    for (const { jobs } of this.tenants.values())
      for (const job of jobs) {
        if (kind !== undefined && job.kind !== kind) continue;
        todo.jobs++;
        todo.blocks += job.blocks.length;
        todo.bytes += jobBytes(job);
      }
    return todo;
  }

  /** Seconds until the backlog is done with `concurrency` jobs at once; undefined when no job has told a speed. */
  etaSeconds(concurrency: number): number | undefined {
    const bytes = this.#speeds.reduce((sum, speed) => sum + speed.bytes, 0);
    const ms = this.#speeds.reduce((sum, speed) => sum + speed.ms, 0);
    if (bytes === 0 || ms === 0) return undefined;
    return (this.todo().bytes / bytes) * (ms / 1000 / concurrency);
  }
}
