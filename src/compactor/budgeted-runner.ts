import type { BucketContext } from '../objstore/bucket.ts';
import { type DiskBudget, diskNeedOf } from './disk-budget.ts';
import type { CompactorJob } from './job.ts';
import type { JobRunner } from './job-runner.ts';
import type { JobProgress, JobReport } from './run-job.ts';

/** Begins a job when its disk has room for it; throws `DiskShortage` when it will not have. */
export class BudgetedRunner implements JobRunner {
  readonly #runner: JobRunner;
  readonly #budget: DiskBudget;

  constructor(runner: JobRunner, budget: DiskBudget) {
    this.#runner = runner;
    this.#budget = budget;
  }

  async run(
    ctx: BucketContext,
    job: CompactorJob,
    onProgress: (progress: JobProgress) => void,
  ): Promise<JobReport> {
    const onWait = () => onProgress({ step: 'wait', done: 0 });
    const release = await this.#budget.reserve(ctx, diskNeedOf(job), onWait);
    try {
      return await this.#runner.run(ctx, job, onProgress);
    } finally {
      release();
    }
  }
}
