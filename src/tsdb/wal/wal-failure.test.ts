import { expect, test } from 'vitest';
import { SystemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/log.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { SeededRandom } from '../../platform/random.ts';
import { repairWal } from './repair.ts';
import { Wal, type WalOptions } from './wal.ts';
import { WalReader } from './wal-reader.ts';

function open(disk: MemoryDisk, options: Partial<WalOptions> = {}): Promise<Wal> {
  const clock = new SystemClock();
  return Wal.open({
    disk,
    dir: '/wal',
    clock,
    log: silentLogger,
    segmentBytes: 2 * 32768,
    fsync: 'always',
    ...options,
  });
}

async function readNumbers(disk: MemoryDisk): Promise<number[]> {
  const reader = new WalReader(disk, '/wal');
  const numbers: number[] = [];
  for await (const { records } of reader.batches())
    for (const record of records) numbers.push(new DataView(record.buffer, record.byteOffset).getUint32(0));
  await repairWal(disk, '/wal', reader.damages, silentLogger);
  return numbers;
}

function numbered(i: number, size: number, random: SeededRandom): Uint8Array {
  const record = random.bytes(4 + size);
  new DataView(record.buffer).setUint32(0, i);
  return record;
}

test('after ENOSPC everything is written once, in order, as soon as there is room', async () => {
  const disk = new MemoryDisk();
  const wal = await open(disk);
  const random = new SeededRandom(1);
  await wal.log([numbered(0, 100, random)]);
  disk.faults.bytesLeft = 50_000;
  const outcomes = await Promise.allSettled(
    Array.from({ length: 40 }, (_, i) => wal.log([numbered(i + 1, 5000, random)])),
  );
  expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true);
  expect(wal.state).toBe('failed');
  expect(wal.reason?.message).toMatch(/ENOSPC/);
  expect(() => wal.checkWritable()).toThrow(expect.objectContaining({ code: 'unavailable' }));
  await expect(wal.log([numbered(41, 10, random)])).rejects.toMatchObject({ code: 'unavailable' });
  await expect(wal.retry()).rejects.toMatchObject({ code: 'unavailable' });
  disk.faults.bytesLeft = Number.POSITIVE_INFINITY;
  await wal.retry();
  wal.checkWritable();
  await wal.log([numbered(42, 10, random)]);
  expect(wal.pendingBytes).toBe(0);
  await wal.close();
  expect(await readNumbers(disk)).toEqual(Array.from({ length: 43 }, (_, i) => i));
});

test('with much waiting no more is asked for, and what is logged all the same is kept', async () => {
  const disk = new MemoryDisk();
  const wal = await open(disk, { pendingBytesMax: 10_000, compression: 'none' });
  disk.faults.readOnly = true;
  const random = new SeededRandom(1);
  const logged = Array.from({ length: 5 }, (_, i) => wal.log([numbered(i, 6000, random)]));
  expect(() => wal.checkWritable()).toThrow(/30020 bytes wait to be written/);
  const outcomes = await Promise.allSettled(logged);
  expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  disk.faults.readOnly = false;
  await wal.retry();
  await wal.close();
  expect(await readNumbers(disk)).toEqual([0, 1, 2, 3, 4]);
});

test('a call without records waits for those before it, and fails with them', async () => {
  const disk = new MemoryDisk();
  const wal = await open(disk);
  await wal.log([]);
  disk.faults.readOnly = true;
  const record = wal.log([numbered(0, 10, new SeededRandom(1))]);
  const outcomes = await Promise.allSettled([record, wal.log([])]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  await expect(wal.log([])).rejects.toMatchObject({ code: 'unavailable' });
  disk.faults.readOnly = false;
  await wal.retry();
  await wal.log([]);
  await wal.close();
  expect(await readNumbers(disk)).toEqual([0]);
});

test('what was acknowledged survives crashes and failing writes and syncs, in order and once', async () => {
  for (let seed = 0; seed < 15; seed++) {
    const disk = new MemoryDisk();
    await disk.makeDir('/wal');
    await disk.syncDir('/');
    const random = new SeededRandom(seed);
    const acknowledged: number[] = [];
    let next = 0;
    for (let life = 0; life < 3; life++) {
      const before = await readNumbers(disk);
      expect(before).toEqual([...before].sort((a, b) => a - b));
      expect(new Set(before).size).toBe(before.length);
      for (const number of acknowledged) expect(before, `seed ${seed}`).toContain(number);
      const wal = await open(disk);
      disk.faults.fails = (operation) => operation !== 'read' && random.next() < 0.1;
      for (let i = 0; i < 30; i++) {
        const number = next++;
        const logged = wal.log([numbered(number, Math.floor(random.next() * 9000), random)]);
        await logged.then(
          () => acknowledged.push(number),
          () => wal.retry().catch(() => undefined),
        );
      }
      disk.faults.fails = () => false;
      disk.crash(seed * 7 + life);
    }
    const after = await readNumbers(disk);
    for (const number of acknowledged) expect(after).toContain(number);
    expect(await readNumbers(disk)).toEqual(after);
  }
});

test('a read that fails while earlier records are being used is told after them', async () => {
  const disk = new MemoryDisk();
  const wal = await open(disk, { compression: 'none', segmentBytes: 128 * 32768 });
  const random = new SeededRandom(5);
  for (let i = 0; i < 30; i++) await wal.log([numbered(i, 100_000, random)]);
  await wal.close();
  let reads = 0;
  disk.faults.fails = (operation, path) => operation === 'read' && path.startsWith('/wal/') && ++reads === 3;
  let seen = 0;
  const read = async () => {
    for await (const { records } of new WalReader(disk, '/wal').batches()) {
      seen += records.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await expect(read()).rejects.toThrow(/EIO/);
  expect(seen).toBe(20);
});
