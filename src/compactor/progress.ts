import type { CompactionJob } from './job.ts';
import { jobBytes } from './job.ts';
import type { JobProgress } from './run-job.ts';

/** A job under way. */
export interface RunningJob {
  readonly job: CompactionJob;
  readonly startedMs: number;
  progress: JobProgress;
}

/** What one tenant still has to be done. */
export interface TenantTodo {
  readonly jobs: readonly CompactionJob[];
  readonly quarantined: readonly { readonly ulid: string; readonly reason: string }[];
  /** Why the tenant could not be looked at; undefined when it could. */
  readonly problem?: string;
}

/** Jobs remembered for speed. */
const SPEEDS = 20;

/** The backlog of the compactor and how fast it shrinks, kept for `/compactor` and the metrics. */
export class Progress {
  readonly running = new Set<RunningJob>();
  readonly tenants = new Map<string, TenantTodo>();
  /** Bytes and ms of the last jobs. */
  readonly #speeds: { readonly bytes: number; readonly ms: number }[] = [];

  noteSpeed(bytes: number, ms: number): void {
    this.#speeds.push({ bytes, ms });
    if (this.#speeds.length > SPEEDS) this.#speeds.shift();
  }

  get todoBytes(): number {
    return this.#sum(jobBytes);
  }

  get todoBlocks(): number {
    return this.#sum(({ blocks }) => blocks.length);
  }

  get todoJobs(): number {
    return this.#sum(() => 1);
  }

  /** Seconds until the backlog is done with `concurrency` jobs at once; undefined when no job has told a speed. */
  etaSeconds(concurrency: number): number | undefined {
    const bytes = this.#speeds.reduce((sum, speed) => sum + speed.bytes, 0);
    const ms = this.#speeds.reduce((sum, speed) => sum + speed.ms, 0);
    if (bytes === 0 || ms === 0) return undefined;
    return (this.todoBytes / bytes) * (ms / 1000 / concurrency);
  }

  #sum(of: (job: CompactionJob) => number): number {
    let sum = 0;
    for (const { jobs } of this.tenants.values()) for (const job of jobs) sum += of(job);
    return sum;
  }
}
