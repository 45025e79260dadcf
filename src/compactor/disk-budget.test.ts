import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { Metrics } from '../platform/metrics.ts';
import { DiskBudget, diskNeedOf } from './disk-budget.ts';
import { DiskShortage, isDiskFull } from './disk-shortage.ts';
import type { CompactorJob } from './job.ts';
import { CTX } from './testdata/kit.ts';

const DIR = 'work';

function budgetOf(freeBytes: number, reserveBytes = 0) {
  const disk = new MemoryDisk();
  disk.faults.bytesLeft = freeBytes;
  const metrics = new Metrics();
  return { disk, metrics, budget: new DiskBudget(disk, { dir: DIR, reserveBytes, metrics }) };
}

/** Lets everything happen that can without time passing. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

test('jobs that would fill the disk together run one after the other, in the order they came', async () => {
  const { budget, metrics } = budgetOf(100);
  const begun: string[] = [];
  const ask = async (name: string, bytes: number) => {
    const release = await budget.reserve(CTX, bytes, () => begun.push(`${name} waits`));
    begun.push(name);
    return release;
  };
  const first = await ask('a', 60);
  const second = ask('b', 50);
  const third = ask('c', 10);
  await settle();
  // The third would fit now, but then others like it could keep the second one out for ever.
  expect(begun).toEqual(['a', 'b waits']);
  expect(await metrics.registry.metrics()).toContain('verona_compactor_disk_reserved_bytes 60');
  first();
  (await second)();
  (await third)();
  expect(begun).toEqual(['a', 'b waits', 'b', 'c']);
  expect(await metrics.registry.metrics()).toContain('verona_compactor_disk_reserved_bytes 0');
});

test('what a job has written is its own already, and the reserve stays free', async () => {
  const { disk, budget } = budgetOf(100, 20);
  const release = await budget.reserve(CTX, 50, () => {});
  await disk.makeDir(`${DIR}/job/in`);
  await disk.writeFileAtomic(`${DIR}/job/in/file`, new Uint8Array(40));
  // 60 are free, of which 20 are kept and 10 promised.
  (await budget.reserve(CTX, 30, () => {}))();
  await expect(budget.reserve(CTX, 81, () => {})).rejects.toThrow('needs 81 bytes of disk, 30 are free');
  release();
});

test('a job that does not fit in an empty disk is refused at once, and one that waits when its disk has filled up', async () => {
  const { disk, budget } = budgetOf(100);
  await expect(budget.reserve(CTX, 101, () => {})).rejects.toMatchObject({
    name: 'DiskShortage',
    code: 'unavailable',
    hasBegun: false,
  });
  const release = await budget.reserve(CTX, 60, () => {});
  const other = budget.reserve(CTX, 60, () => {});
  other.catch(() => {});
  await settle();
  disk.faults.bytesLeft = 30;
  release();
  await expect(other).rejects.toThrow('the job needs 60 bytes of disk, 30 are free');
});

test('a wait ends when it is cancelled, and the next one has its turn', async () => {
  const { budget } = budgetOf(100);
  const release = await budget.reserve(CTX, 60, () => {});
  const stopping = new AbortController();
  const waiting = budget.reserve({ signal: stopping.signal }, 60, () => {});
  const next = budget.reserve(CTX, 40, () => {});
  waiting.catch(() => {});
  await settle();
  stopping.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'canceled' });
  (await next)();
  release();
});

test('a job needs its sources, its result, and the series of the index once more', () => {
  const sizes = new Map([
    ['index', 10_000_000],
    ['chunks/000001', 50_000_000],
  ]);
  const job = { kind: 'compact', blocks: [{ sizes }, { sizes }], shards: 1 } as unknown as CompactorJob;
  const extra = 1024 * 1024;
  expect(diskNeedOf(job)).toBe(2 * 120_000_000 + 20_000_000 + extra);
  expect(diskNeedOf({ ...job, shards: 4 })).toBe(2 * 120_000_000 + 40_000_000 + extra);
  expect(diskNeedOf({ ...job, kind: 'downsample' })).toBe(2.5 * 120_000_000 + 20_000_000 + extra);
});

test('a full disk is told by the error or what caused it', () => {
  const full = Object.assign(new Error('write'), { code: 'ENOSPC' });
  expect(isDiskFull(full)).toBe(true);
  expect(isDiskFull(new Error('outer', { cause: new Error('inner', { cause: full }) }))).toBe(true);
  expect(isDiskFull(Object.assign(new Error('write'), { code: 'EIO' }))).toBe(false);
  const loop = new Error('itself');
  loop.cause = loop;
  expect(isDiskFull(loop)).toBe(false);
  expect(DiskShortage.during('merge', full).message).toBe('disk full in step merge: write');
});
