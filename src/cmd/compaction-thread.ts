import { LocalRunner } from '../compactor/local-runner.ts';
import { serveJob } from '../compactor/thread-runner.ts';
import { type BucketOptions, openBucket } from '../objstore/open-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SystemRandom } from '../platform/random.ts';
import { threadParent } from '../platform/threads.ts';
import type { ReplicaDedup } from '../tsdb/compact/merge-blocks.ts';

/** What a thread of the compactor is started with. */
export interface CompactionThreadData {
  readonly bucket: BucketOptions;
  readonly workDir: string;
  readonly dedup: ReplicaDedup;
}

/** A thread that does one job of the compactor: fetches, merges, verifies and uploads blocks. */
const { port, data } = threadParent();
const { bucket: bucketOptions, workDir, dedup } = data as CompactionThreadData;
const deps = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };
const bucket = await openBucket(bucketOptions, deps);
serveJob(port, new LocalRunner({ workDir, dedup }, { ...deps, bucket }));
