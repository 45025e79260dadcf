import { describe, expect, test } from 'vitest';
import { decodeChunk } from '../../chunkenc/chunk.ts';
import { decodeLabels } from '../../encoding/label-bytes.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { CALM } from '../../objstore/acceptance.ts';
import { FailingBucket, NO_FAULTS } from '../../objstore/failing-bucket.ts';
import { MemoryBucket } from '../../objstore/memory-bucket.ts';
import { SystemClock } from '../../platform/clock.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { SeededRandom } from '../../platform/random.ts';
import { admitAll } from '../../tsdb/head/series-table.ts';
import type { Tenants } from './tenants.ts';
import { systemOn, tenantsOn } from './testdata/system-on.ts';

test('a tenant that could not be opened can be opened when the disk works again', async () => {
  const disk = new MemoryDisk();
  const tenants = tenantsOn(disk);
  await disk.makeDir('tsdb/a');
  await disk.writeFileAtomic('tsdb/a/thanos.shipper.json', new Uint8Array(8));
  disk.faults.fails = (operation, path) => operation === 'read' && path.endsWith('thanos.shipper.json');
  await expect(tenants.open('a')).rejects.toMatchObject({ code: 'unavailable' });
  disk.faults.fails = () => false;
  await tenants.open('a');
  expect(tenants.find('a')).toBeDefined();
  await tenants.stop();
});

test('more tenants than allowed are refused, those there are go on', async () => {
  const tenants = tenantsOn(new MemoryDisk());
  await tenants.open('a');
  await tenants.open('b');
  await expect(tenants.open('c')).rejects.toMatchObject({ code: 'rate_limited' });
  await tenants.open('a');
  await tenants.stop();
});

test('a tenant whose data do not open keeps the others neither from starting nor from answering', async () => {
  const disk = new MemoryDisk();
  const tenants = tenantsOn(disk);
  for (const name of ['a', 'b']) await disk.makeDir(`tsdb/${name}`);
  await disk.writeFileAtomic('tsdb/a/thanos.shipper.json', new Uint8Array(8));
  disk.faults.fails = (operation, path) => operation === 'read' && path.startsWith('tsdb/a/');
  await tenants.start();
  expect(tenants.find('b')).toBeDefined();
  expect(tenants.problemOf('a')).toMatch(/data of this tenant on the local disk cannot be read/);
  expect(tenants.problemOf('b')).toBeUndefined();
  disk.faults.fails = () => false;
  await tenants.open('a');
  expect(tenants.problemOf('a')).toBeUndefined();
  await tenants.stop();
});

test('answers about a tenant say that blocks on its disk cannot be read', async () => {
  const disk = new MemoryDisk();
  const tenants = tenantsOn(disk);
  const block = 'tsdb/a/01HF7WTK10R3H52KGNW7N1SZDZ';
  await disk.makeDir(block);
  await disk.writeFileAtomic(`${block}/meta.json`, new TextEncoder().encode('{'));
  await tenants.start();
  expect(tenants.problemOf('a')).toBe('1 blocks on the local disk cannot be read; answers lack their data');
  await tenants.stop();
});

test('new limits of a tenant are in force for the storage that is open', async () => {
  const disk = new MemoryDisk();
  const { tenants, limits } = systemOn(disk, new MemoryBucket(new SystemClock()));
  await tenants.open('a');
  const before = tenants.find('a')?.db.limits.futureMs;
  limits.replace({ creation_grace_period: 1234 }, {});
  await tenants.applyLimits();
  expect([before, tenants.find('a')?.db.limits.futureMs]).toEqual([600_000, 1234]);
  await tenants.stop();
});

test('when no tenant opens the start fails', async () => {
  const disk = new MemoryDisk();
  await disk.makeDir('tsdb/a');
  await disk.writeFileAtomic('tsdb/a/thanos.shipper.json', new Uint8Array(8));
  disk.faults.fails = (operation, path) => operation === 'read' && path.startsWith('tsdb/a/');
  await expect(tenantsOn(disk).start()).rejects.toMatchObject({ code: 'unavailable' });
});

describe('deleted series', () => {
  const START_MS = Math.floor(Date.now() / 7_200_000) * 7_200_000 - 4 * 7_200_000;
  const matcher = new Matcher('=', 'pod', 'a');
  const [mint, maxt] = [START_MS, START_MS + 20 * 60_000];

  async function write(tenants: Tenants, from: number, count: number): Promise<void> {
    const appender = await (await tenants.open('acme')).appender(admitAll);
    for (const pod of ['a', 'b'])
      for (let i = from; i < from + count; i++)
        appender.append(Labels.from({ __name__: 'm', pod }), START_MS + i * 60_000, i);
    await appender.commit();
  }

  /** Samples per pod that head and local blocks answer. */
  async function counts(tenants: Tenants): Promise<Record<string, number>> {
    const querier = await tenants.find('acme')?.db.querier(0, Number.MAX_SAFE_INTEGER);
    if (!querier) return {};
    const request = {
      matchers: [new Matcher('=', '__name__', 'm')],
      mint: 0,
      maxt: Number.MAX_SAFE_INTEGER,
      sorted: true,
    };
    const found: Record<string, number> = {};
    for await (const batch of querier.select(CALM, request))
      for (let i = 0; i < batch.seriesCount; i++) {
        const pod = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]).get(
          'pod',
        );
        for (let c = batch.chunkStarts[i]; c < batch.chunkStarts[i + 1]; c++) {
          const [offset, length] = [batch.chunkDataOffset[c], batch.chunkDataLength[c]];
          const { timestamps } = decodeChunk(batch.chunkEncoding[c], batch.chunkData, offset, length);
          found[pod] = (found[pod] ?? 0) + timestamps.length;
        }
      }
    await querier.close();
    return found;
  }

  test('are gone from the head at once and stay gone after a restart, and what is sent later stays', async () => {
    const disk = new MemoryDisk();
    const bucket = new MemoryBucket(new SystemClock());
    const tenants = tenantsOn(disk, bucket);
    await write(tenants, 0, 40);
    await tenants.deleteSeries(CALM, 'acme', [[matcher]], mint, maxt);
    expect(await counts(tenants)).toEqual({ a: 19, b: 40 });
    await write(tenants, 40, 1);
    await tenants.stop();
    const { tenants: again, bucketSync } = systemOn(disk, bucket);
    await bucketSync.refresh('acme');
    await again.start();
    await again.applyDeletions(CALM, 'acme');
    expect(await counts(again)).toEqual({ a: 20, b: 41 });
    await again.stop();
  });

  test('are gone from the heads of other processes once they look', async () => {
    const bucket = new MemoryBucket(new SystemClock());
    const [one, other] = [systemOn(new MemoryDisk(), bucket), systemOn(new MemoryDisk(), bucket)];
    await write(other.tenants, 0, 40);
    await one.tenants.deleteSeries(CALM, 'acme', [[matcher]], mint, maxt);
    await other.bucketSync.refresh('acme');
    await other.tenants.applyDeletions(CALM, 'acme');
    expect(await counts(other.tenants)).toEqual({ a: 19, b: 40 });
    await Promise.all([one.tenants.stop(), other.tenants.stop()]);
  });

  test('are refused for a selector that every series would match', async () => {
    const tenants = tenantsOn(new MemoryDisk());
    await write(tenants, 0, 40);
    for (const everything of [[], [new Matcher('=', 'absent', '')], [new Matcher('=~', 'pod', '.*')]])
      await expect(
        tenants.deleteSeries(CALM, 'acme', [[matcher], everything], mint, maxt),
      ).rejects.toMatchObject({ code: 'bad_data' });
    expect(await counts(tenants)).toEqual({ a: 40, b: 40 });
    await tenants.stop();
  });

  test('are an error when the bucket does not take the request, and nothing is deleted then', async () => {
    const clock = new SystemClock();
    const bucket = new FailingBucket(new MemoryBucket(clock), new SeededRandom(1), clock);
    const tenants = tenantsOn(new MemoryDisk(), bucket);
    await write(tenants, 0, 40);
    bucket.faults = { ...NO_FAULTS, errors: 1 };
    await expect(tenants.deleteSeries(CALM, 'acme', [[matcher]], mint, maxt)).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(await counts(tenants)).toEqual({ a: 40, b: 40 });
    bucket.faults = NO_FAULTS;
    await tenants.stop();
  });
});
