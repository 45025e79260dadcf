import { SystemClock } from '../platform/clock.ts';
import { SeededRandom } from '../platform/random.ts';
import { acceptBucket } from './acceptance.ts';
import { FailingBucket } from './failing-bucket.ts';
import { MemoryBucket } from './memory-bucket.ts';
import { MeteredBucket } from './metered-bucket.ts';
import { PrefixedBucket } from './prefixed-bucket.ts';
import { StoreCounts } from './store-counts.ts';

const clock = new SystemClock();

acceptBucket('MemoryBucket', async () => new MemoryBucket(clock));
acceptBucket('PrefixedBucket', async () => new PrefixedBucket(new MemoryBucket(clock), 'some/where'));
acceptBucket(
  'MeteredBucket',
  async () => new MeteredBucket(new MemoryBucket(clock), clock, new StoreCounts()),
);
acceptBucket(
  'FailingBucket without faults',
  async () => new FailingBucket(new MemoryBucket(clock), new SeededRandom(1), clock),
);
