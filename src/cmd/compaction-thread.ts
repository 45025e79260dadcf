import { LocalRunner } from '../compactor/local-runner.ts';
import { serveJob } from '../compactor/thread-runner.ts';
import { type BucketOptions, openBucket } from '../objstore/open-bucket.ts';
import { StoreCounts } from '../objstore/store-counts.ts';
import { SystemClock } from '../platform/clock.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SystemRandom } from '../platform/random.ts';
import type { CountMemory } from '../platform/shared-counts.ts';
import { threadParent } from '../platform/threads.ts';
import type { ReplicaDedup } from '../tsdb/compact/merge-blocks.ts';

/** What a thread of the compactor is started with. */
export interface CompactionThreadData {
  readonly bucket: BucketOptions;
  /** Where all threads of the process count what they ask of the bucket. */
  readonly counts: CountMemory;
  readonly workDir: string;
  readonly dedup: ReplicaDedup;
}

/** A thread that does one job of the compactor: fetches, merges, verifies and uploads blocks. */
const { port, data } = threadParent();
const { bucket: bucketOptions, counts, workDir, dedup } = data as CompactionThreadData;
const deps = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };
const bucket = await openBucket(bucketOptions, { ...deps, counts: new StoreCounts(counts) });
serveJob(port, new LocalRunner({ workDir, dedup }, { ...deps, bucket }));
