import type { BucketContext } from '../objstore/bucket.ts';
import type { CompactorJob } from './job.ts';
import type { JobProgress, JobReport } from './run-job.ts';

/** Where jobs are done: in this thread, or in others. */
export interface JobRunner {
  run(ctx: BucketContext, job: CompactorJob, onProgress: (progress: JobProgress) => void): Promise<JobReport>;
}
