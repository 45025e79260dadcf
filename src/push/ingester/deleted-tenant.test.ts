import { describe, expect, test } from 'vitest';
import { removeTenantDeletion } from '../../blocks/tenant-deletion.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { CALM } from '../../objstore/acceptance.ts';
import { MemoryBucket } from '../../objstore/memory-bucket.ts';
import { SystemClock } from '../../platform/clock.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { Metrics } from '../../platform/metrics.ts';
import { TenantLimits } from '../../tenancy/limits.ts';
import { RateLimiter } from '../../tenancy/rate-limiter.ts';
import { admitAll } from '../../tsdb/head/series-table.ts';
import { PushMetrics } from '../push-metrics.ts';
import { RemoteWriteHandler } from '../remote-write-handler.ts';
import type { Tenants } from './tenants.ts';
import { systemOn } from './testdata/system-on.ts';

const T = Date.now() - 60_000;

async function write(tenants: Tenants, tenant: string, value: number): Promise<void> {
  const appender = await (await tenants.open(tenant)).appender(admitAll);
  appender.append(Labels.from({ __name__: 'm' }), T + value, value);
  await appender.commit();
}

/** Series that a tenant's storage here answers with. */
async function seriesOf(tenants: Tenants, tenant: string): Promise<number> {
  const querier = await tenants.find(tenant)?.db.querier(0, Number.MAX_SAFE_INTEGER);
  if (!querier) return 0;
  const request = { matchers: [new Matcher('=', '__name__', 'm')], mint: 0, maxt: Number.MAX_SAFE_INTEGER };
  let count = 0;
  for await (const batch of querier.select(CALM, { ...request, sorted: true })) count += batch.seriesCount;
  await querier.close();
  return count;
}

describe('a tenant whose deletion is marked', () => {
  test('is not answered, not taken and not on the disk any more; others go on', async () => {
    const disk = new MemoryDisk();
    const { tenants, bucketSync } = systemOn(disk, new MemoryBucket(new SystemClock()));
    await write(tenants, 'a', 1);
    await write(tenants, 'b', 1);
    await bucketSync.deleteTenant(CALM, 'a');
    expect([await seriesOf(tenants, 'a'), await seriesOf(tenants, 'b')]).toEqual([0, 1]);
    await expect(write(tenants, 'a', 2)).rejects.toMatchObject({ code: 'forbidden' });
    expect((await disk.list('tsdb')).map(({ name }) => name)).toEqual(['b']);
    await write(tenants, 'b', 2);
    await tenants.stop();
  });

  test('gets 403 for its writes, with the reason, so that senders drop them', async () => {
    const { tenants, bucketSync } = systemOn(new MemoryDisk(), new MemoryBucket(new SystemClock()));
    const handler = new RemoteWriteHandler({
      tenants,
      limits: new TenantLimits(),
      rates: new RateLimiter(new SystemClock()),
      metrics: new PushMetrics(new Metrics()),
    });
    await bucketSync.deleteTenant(CALM, 'a');
    const answer = await handler.handle({ tenant: 'a', headers: {}, body: new Uint8Array([0]) });
    expect(answer.status).toBe(403);
    expect(answer.body).toMatch(/^tenant a is being deleted: nothing is taken until/);
    await tenants.stop();
  });

  test('is not answered after a restart either, and begins anew when the mark is gone', async () => {
    const disk = new MemoryDisk();
    const bucket = new MemoryBucket(new SystemClock());
    const first = systemOn(disk, bucket);
    await write(first.tenants, 'a', 1);
    await first.tenants.stop();
    // Another process marks it while this one is down.
    await systemOn(new MemoryDisk(), bucket).bucketSync.deleteTenant(CALM, 'a');
    const second = systemOn(disk, bucket);
    await second.bucketSync.start();
    await second.tenants.start();
    expect(await seriesOf(second.tenants, 'a')).toBe(0);
    expect(await disk.list('tsdb')).toEqual([]);
    await removeTenantDeletion(CALM, bucket, 'a');
    await second.bucketSync.lookAgain();
    await write(second.tenants, 'a', 3);
    expect(await seriesOf(second.tenants, 'a')).toBe(1);
    await Promise.all([second.bucketSync.stop(), second.tenants.stop()]);
  });

  test('is dropped also while it is being opened, and by every round until the disk lets go of it', async () => {
    const disk = new MemoryDisk();
    const { tenants, bucketSync } = systemOn(disk, new MemoryBucket(new SystemClock()));
    const opening = write(tenants, 'a', 1).catch(() => undefined);
    disk.faults.readOnly = true;
    await bucketSync.deleteTenant(CALM, 'a').catch(() => undefined);
    await opening;
    expect(tenants.find('a')).toBeUndefined();
    disk.faults.readOnly = false;
    await bucketSync.lookAgain();
    expect(await disk.list('tsdb')).toEqual([]);
    await Promise.all([bucketSync.stop(), tenants.stop()]);
  });
});

test('whenever the machine dies while a tenant is deleted, nothing of it is answered after the restart', async () => {
  for (let seed = 0; seed < 30; seed++) {
    const disk = new MemoryDisk();
    const bucket = new MemoryBucket(new SystemClock());
    const first = systemOn(disk, bucket);
    await write(first.tenants, 'a', 1);
    await write(first.tenants, 'b', 1);
    let changes = 0;
    disk.faults.fails = () => changes++ > seed;
    await first.bucketSync.deleteTenant(CALM, 'a').catch(() => undefined);
    disk.crash(seed);
    disk.faults.fails = () => false;
    const second = systemOn(disk, bucket);
    await second.bucketSync.start();
    await second.tenants.start();
    expect(await seriesOf(second.tenants, 'a')).toBe(0);
    expect((await disk.list('tsdb')).map(({ name }) => name)).not.toContain('a');
    await Promise.all([second.bucketSync.stop(), second.tenants.stop()]);
  }
});
