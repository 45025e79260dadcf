import type { BucketContext } from '../objstore/bucket.ts';
import type { CompactorJob } from './job.ts';
import type { JobRunner } from './job-runner.ts';
import { type JobDeps, type JobOptions, type JobProgress, type JobReport, runJob } from './run-job.ts';

/** Does jobs in this thread. */
export class LocalRunner implements JobRunner {
  readonly #options: JobOptions;
  readonly #deps: JobDeps;

  constructor(options: JobOptions, deps: JobDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  run(
    ctx: BucketContext,
    job: CompactorJob,
    onProgress: (progress: JobProgress) => void,
  ): Promise<JobReport> {
    return runJob(ctx, job, this.#options, this.#deps, onProgress);
  }
}
