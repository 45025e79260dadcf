import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { localDeletionMarkKey, readTenantDeletion, writeTenantDeletion } from './tenant-deletion.ts';

const ctx = { signal: new AbortController().signal };

test('marks of deleted tenants are read as they were written, and other bytes decode or are corrupt', async () => {
  const bucket = new MemoryBucket(new SystemClock());
  const deletion = { requestedMs: 1_700_000_000_000, finishedMs: 1_700_000_001_000 };
  await writeTenantDeletion(ctx, bucket, 'acme', deletion);
  expect(await readTenantDeletion(ctx, bucket, 'acme')).toEqual(deletion);
  const bytes = new TextEncoder().encode('{"deletion_time":1700000000,"finished_time":1700000001}');
  const check = async (data: Uint8Array) => {
    await bucket.upload(ctx, localDeletionMarkKey('beta'), data);
    const read = await readTenantDeletion(ctx, bucket, 'beta').catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'corrupt' });
    });
    if (read) expect(Number.isSafeInteger(read.requestedMs)).toBe(true);
  };
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), async (at, byte, end) => {
      const mutated = bytes.slice(0, Math.max(1, end));
      mutated[at % mutated.length] = byte;
      await check(mutated);
    }),
    { numRuns: 500 },
  );
  await fc.assert(
    fc.asyncProperty(fc.json(), (json) => check(new TextEncoder().encode(json))),
    { numRuns: 300 },
  );
});
