import { expect, test } from 'vitest';
import { SystemClock } from '../platform/clock.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { CALM, collect } from './acceptance.ts';
import { FailingBucket, NO_FAULTS } from './failing-bucket.ts';
import { MemoryBucket } from './memory-bucket.ts';
import { MeteredBucket } from './metered-bucket.ts';
import { StoreCounts } from './store-counts.ts';

const clock = new SystemClock();

test('operations, failures, durations and bytes are counted by operation', async () => {
  const metrics = new Metrics();
  const failing = new FailingBucket(new MemoryBucket(clock), new SeededRandom(1), clock);
  const bucket = new MeteredBucket(failing, clock, StoreCounts.shownIn(metrics));
  await bucket.upload(CALM, 'a', new Uint8Array(3));
  await bucket.upload(CALM, 'b', pieces(4, 5));
  await bucket.create(CALM, 'c', new Uint8Array(2));
  await bucket.get(CALM, 'a');
  await bucket.getRange(CALM, 'b', 8, 100);
  await expect(bucket.get(CALM, 'absent')).rejects.toMatchObject({ code: 'not_found' });
  await collect(bucket.list(CALM, ''));
  failing.faults = { ...NO_FAULTS, errors: 1 };
  await expect(bucket.get(CALM, 'a')).rejects.toMatchObject({ code: 'unavailable' });
  await expect(collect(bucket.list(CALM, ''))).rejects.toMatchObject({ code: 'unavailable' });

  const text = await metrics.registry.metrics();
  expect(text).toContain('verona_objstore_bucket_operations_total{operation="get"} 3');
  expect(text).toContain('verona_objstore_bucket_operations_total{operation="list"} 2');
  expect(text).toContain('verona_objstore_bucket_operation_failures_total{operation="get"} 1');
  expect(text).toContain('verona_objstore_bucket_operation_failures_total{operation="list"} 1');
  expect(text).toContain('verona_objstore_bucket_operation_duration_seconds_count{operation="get"} 1');
  expect(text).toContain('verona_objstore_bucket_operation_failures_total{operation="upload"} 0');
  const bytes = (operation: string) =>
    Number(text.match(new RegExp(`transferred_bytes_total{operation="${operation}"} (\\d+)`))?.[1]);
  expect(['upload', 'create', 'get', 'get_range'].map(bytes)).toEqual([12, 2, 3, 1]);
});

async function* pieces(...lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const length of lengths) yield new Uint8Array(length);
}
