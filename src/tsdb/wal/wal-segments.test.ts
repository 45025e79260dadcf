import { expect, test } from 'vitest';
import { SystemClock } from '../../platform/clock.ts';
import type { DiskFile, OpenMode } from '../../platform/disk.ts';
import { silentLogger } from '../../platform/log.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { Wal, type WalOptions } from './wal.ts';
import { WalReader } from './wal-reader.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Operations take a turn of the event loop, syncs as many as wanted; a file that is closed amid a sync is told. */
class SlowDisk extends MemoryDisk {
  syncTurns = 1;
  readonly closedAmidSync: string[] = [];
  readonly synced: string[] = [];

  override async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const file = await super.open(path, mode);
    let syncing = 0;
    const sync = file.sync.bind(file);
    file.sync = async () => {
      syncing++;
      for (let i = 0; i < this.syncTurns; i++) await turn();
      syncing--;
      await sync();
      this.synced.push(path);
    };
    const close = file.close.bind(file);
    file.close = () => {
      if (syncing > 0) this.closedAmidSync.push(path);
      return close();
    };
    const writeAt = file.writeAt.bind(file);
    file.writeAt = async (buffers, offset) => {
      await turn();
      await writeAt(buffers, offset);
    };
    return file;
  }
}

function open(disk: MemoryDisk, options: Partial<WalOptions> = {}): Promise<Wal> {
  return Wal.open({
    disk,
    dir: '/wal',
    clock: new SystemClock(),
    log: silentLogger,
    segmentBytes: 2 * 32768,
    compression: 'none',
    fsync: 'never',
    ...options,
  });
}

/** Logs a numbered record in every turn of the event loop until `stop` is called, so that something always waits. */
function logAlways(wal: Wal) {
  let next = 0;
  let stopped = false;
  const running = (async () => {
    while (!stopped && next < 5000) {
      wal.log([numbered(next++)]).catch(() => undefined);
      await turn();
    }
  })();
  return {
    get count() {
      return next;
    },
    stop: () => {
      stopped = true;
      return running;
    },
  };
}

function numbered(i: number): Uint8Array {
  const record = new Uint8Array(100);
  new DataView(record.buffer).setUint32(0, i);
  return record;
}

async function readNumbers(disk: MemoryDisk, from = 0, to = Number.POSITIVE_INFINITY): Promise<number[]> {
  const reader = new WalReader(disk, '/wal', { from, to });
  const numbers: number[] = [];
  for await (const { records } of reader.batches())
    for (const record of records) numbers.push(new DataView(record.buffer, record.byteOffset).getUint32(0));
  expect(reader.damages).toEqual([]);
  return numbers;
}

test('a segment ends where it was asked to, although something always waits to be written', async () => {
  const disk = new SlowDisk();
  const wal = await open(disk, { segmentBytes: 1024 * 32768 });
  const writer = logAlways(wal);
  while (writer.count < 10) await turn();
  const before = writer.count;
  const segment = await wal.nextSegment();
  expect(segment).toBe(1);
  expect(writer.count - before).toBeLessThan(20);
  await writer.stop();
  await wal.close();
  const first = await readNumbers(disk, 0, 0);
  expect(first).toEqual(Array.from({ length: before }, (_, i) => i));
  expect(await readNumbers(disk)).toEqual(Array.from({ length: writer.count }, (_, i) => i));
});

test('a sync waits for what was logged before, not for what comes after', async () => {
  const disk = new SlowDisk();
  const wal = await open(disk);
  const writer = logAlways(wal);
  while (writer.count < 10) await turn();
  const before = writer.count;
  await wal.sync();
  expect(writer.count - before).toBeLessThan(20);
  await writer.stop();
  disk.crash(1);
  expect((await readNumbers(disk)).length).toBeGreaterThanOrEqual(before);
});

test('no segment is closed amid a sync of it', async () => {
  const disk = new SlowDisk();
  disk.syncTurns = 20;
  const wal = await open(disk, { fsync: 'interval', fsyncIntervalMs: 1 });
  const writer = logAlways(wal);
  for (let i = 0; i < 30; i++) {
    await wal.nextSegment();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await writer.stop();
  await wal.close();
  expect(disk.closedAmidSync).toEqual([]);
  expect(await readNumbers(disk)).toEqual(Array.from({ length: writer.count }, (_, i) => i));
});

test('an ended segment whose sync failed is synced again before the log counts as well', async () => {
  const disk = new SlowDisk();
  const wal = await open(disk);
  await wal.log([numbered(0)]);
  disk.faults.fails = (operation, path) => operation === 'sync' && path === '/wal/00000000';
  await wal.nextSegment();
  while (wal.state === 'open') await turn();
  await expect(wal.retry()).rejects.toMatchObject({ code: 'unavailable' });
  disk.faults.fails = () => false;
  await wal.retry();
  expect(disk.synced).toContain('/wal/00000000');
  await wal.log([numbered(1)]);
  await wal.close();
  disk.crash(5);
  expect(await readNumbers(disk)).toEqual([0, 1]);
});

test('a cut that was asked for when the log fails is refused, and records keep their order', async () => {
  const disk = new SlowDisk();
  const wal = await open(disk);
  disk.faults.bytesLeft = 200;
  const logged = [0, 1, 2].map((i) => wal.log([numbered(i)]));
  const cut = wal.nextSegment();
  const later = wal.log([numbered(3)]);
  const outcomes = await Promise.allSettled([...logged, cut, later]);
  expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  disk.faults.bytesLeft = Number.POSITIVE_INFINITY;
  await wal.retry();
  await wal.close();
  expect(await readNumbers(disk, 0, 0)).toEqual([0, 1, 2, 3]);
});

test('what a killed process had written is on stable storage when the log is open again', async () => {
  const disk = new SlowDisk();
  const wal = await open(disk);
  for (let i = 0; i < 20; i++) await wal.log([numbered(i)]);
  // The process dies; the machine goes on, and does so only after the next one has begun.
  await open(disk);
  for (let seed = 0; seed < 5; seed++) {
    disk.crash(seed);
    expect(await readNumbers(disk)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  }
});
