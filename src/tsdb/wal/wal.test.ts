import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SystemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/log.ts';
import { NodeDisk } from '../../platform/node-disk.ts';
import { SeededRandom } from '../../platform/random.ts';
import type { WalCompression } from './compression.ts';
import { repairWal } from './repair.ts';
import { segmentPath } from './segments.ts';
import { Wal, type WalOptions } from './wal.ts';
import { type WalDamage, WalReader } from './wal-reader.ts';

const disk = new NodeDisk();
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'verona-wal-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

function open(options: Partial<WalOptions> = {}): Promise<Wal> {
  return Wal.open({
    disk,
    dir,
    clock: new SystemClock(),
    log: silentLogger,
    segmentBytes: 4 * 32768,
    ...options,
  });
}

async function readAll(): Promise<{ records: Uint8Array[]; damages: readonly WalDamage[] }> {
  const reader = new WalReader(disk, dir);
  const records: Uint8Array[] = [];
  for await (const batch of reader.batches()) records.push(...batch.records);
  return { records, damages: reader.damages };
}

function someRecords(count: number, sizeMax: number, seed = 1): Uint8Array[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const record = random.bytes(Math.floor(random.next() * sizeMax));
    return i % 3 === 0 ? record.fill(i & 255) : record;
  });
}

async function damage(segment: number, change: (bytes: Uint8Array) => Uint8Array): Promise<void> {
  const path = segmentPath(dir, segment);
  await disk.writeFileAtomic(path, change(Uint8Array.from(await disk.readFile(path))));
}

test.each<WalCompression>(['none', 'snappy', 'zstd'])(
  'records come back in order, compression %s',
  async (compression) => {
    const wal = await open({ compression });
    const records = [...someRecords(300, 5000), ...someRecords(3, 300_000, 2), new Uint8Array(0)];
    for (let i = 0; i < records.length; i += 3) void wal.log(records.slice(i, i + 3));
    await wal.log([]);
    await wal.close();
    const read = await readAll();
    expect(read.damages).toEqual([]);
    expect(read.records.length).toBe(records.length);
    for (const [i, record] of records.entries()) expect(Buffer.compare(read.records[i], record)).toBe(0);
  },
);

test.each<WalCompression>(['none', 'snappy', 'zstd'])(
  'records that reach over several reads come back in batches and one by one, compression %s',
  async (compression) => {
    const wal = await open({ compression, segmentBytes: 256 * 32768 });
    const records = [...someRecords(40, 3_000_000), ...someRecords(2000, 1000, 2)];
    for (let i = 0; i < records.length; i += 100) await wal.log(records.slice(i, i + 100));
    await wal.close();
    const { records: inBatches } = await readAll();
    const oneByOne: Uint8Array[] = [];
    const offsets: number[] = [];
    const reader = new WalReader(disk, dir);
    await reader.visit(
      (record, segment, offset) => {
        oneByOne.push(record.slice());
        offsets.push(segment * 256 * 32768 + offset);
      },
      () => {},
    );
    expect(reader.damages).toEqual([]);
    for (const read of [inBatches, oneByOne]) {
      expect(read.length).toBe(records.length);
      for (const [i, record] of records.entries()) expect(Buffer.compare(read[i], record)).toBe(0);
    }
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
  },
);

test('a record that ends exactly at, or just before, the end of a page is read back', async () => {
  const wal = await open({ compression: 'none', segmentBytes: 64 * 32768 });
  const sizes = Array.from({ length: 20 }, (_, i) => 32768 - 7 - i);
  for (const size of sizes) {
    await wal.log([new Uint8Array(size).fill(1)]);
    await wal.log([new Uint8Array(5).fill(2)]);
  }
  await wal.close();
  const { records, damages } = await readAll();
  expect(damages).toEqual([]);
  expect(records.map((record) => record.length)).toEqual(sizes.flatMap((size) => [size, 5]));
});

test('a segment is followed by the next one, and old ones are removed', async () => {
  const wal = await open();
  await wal.log([Uint8Array.of(1)]);
  expect(await wal.nextSegment()).toBe(1);
  await wal.log([Uint8Array.of(2)]);
  await wal.truncate(1);
  await wal.close();
  expect((await readAll()).records).toEqual([Uint8Array.of(2)]);
  const again = await open();
  expect(again.position).toEqual({ segment: 2, offset: 0 });
  await again.close();
  await expect(again.log([Uint8Array.of(3)])).rejects.toMatchObject({ code: 'unavailable' });
});

test('a torn last record is cut off and everything before it is kept', async () => {
  const wal = await open({ compression: 'none' });
  await wal.log([new Uint8Array(100).fill(1), new Uint8Array(40_000).fill(2)]);
  await wal.close();
  await damage(0, (bytes) => bytes.subarray(0, bytes.length - 10));
  const { records, damages } = await readAll();
  expect(records.length).toBe(1);
  expect(damages).toMatchObject([{ segment: 0, start: 107, torn: true }]);
  await repairWal(disk, dir, damages, silentLogger);
  expect((await disk.stat(segmentPath(dir, 0)))?.sizeBytes).toBe(107);
  expect((await readAll()).damages).toEqual([]);
});

test('bad bytes in the middle cost their page only; the file is kept aside and the rest rewritten', async () => {
  const wal = await open({ compression: 'none', segmentBytes: 1024 * 32768 });
  const records = Array.from({ length: 1000 }, (_, i) => new Uint8Array(500).fill(i));
  await wal.log(records);
  await wal.nextSegment();
  await wal.log([Uint8Array.of(42)]);
  await wal.close();
  await damage(0, (bytes) => {
    bytes[100_000] ^= 1;
    return bytes;
  });
  const broken = await readAll();
  expect(broken.damages).toMatchObject([{ segment: 0, reason: 'bad checksum', torn: false }]);
  expect(broken.records.length).toBeGreaterThan(920);
  expect(broken.records.at(-1)).toEqual(Uint8Array.of(42));
  await repairWal(disk, dir, broken.damages, silentLogger);
  const repaired = await readAll();
  expect(repaired.damages).toEqual([]);
  expect(repaired.records.length).toBe(broken.records.length);
  expect(await disk.stat(`${segmentPath(dir, 0)}.corrupt`)).toBeDefined();
});

test('a missing segment is reported and replaced by an empty one', async () => {
  const wal = await open();
  await wal.log([Uint8Array.of(1)]);
  await wal.nextSegment();
  await wal.nextSegment();
  await wal.log([Uint8Array.of(2)]);
  await wal.nextSegment();
  await wal.close();
  await disk.remove(segmentPath(dir, 0));
  await wal.close();
  const gap = await open();
  await gap.log([Uint8Array.of(3)]);
  await gap.nextSegment();
  await gap.close();
  await disk.remove(segmentPath(dir, 2));
  const { damages } = await readAll();
  expect(damages).toMatchObject([{ segment: 3, missingFrom: 2 }]);
  await repairWal(disk, dir, damages, silentLogger);
  expect((await readAll()).damages).toEqual([]);
});

test('a mutated segment is read without error, hanging or invented records', async () => {
  const wal = await open({ compression: 'snappy' });
  const records = someRecords(200, 2000);
  await wal.log(records);
  await wal.close();
  const clean = await disk.readFile(segmentPath(dir, 0));
  const known = new Set(records.map((record) => Buffer.from(record).toString('base64')));
  const random = new SeededRandom(7);
  for (let round = 0; round < 60; round++) {
    const bytes = Uint8Array.from(clean);
    for (let i = 0; i < 3; i++)
      bytes[Math.floor(random.next() * bytes.length)] = Math.floor(random.next() * 256);
    await disk.writeFileAtomic(
      segmentPath(dir, 0),
      bytes.subarray(0, Math.floor(bytes.length * (0.5 + random.next()))),
    );
    const mutated = await readAll();
    for (const record of mutated.records)
      expect(known.has(Buffer.from(record).toString('base64'))).toBe(true);
    await repairWal(disk, dir, mutated.damages, silentLogger);
    const repaired = await readAll();
    expect(repaired.damages).toEqual([]);
    expect(repaired.records.length).toBe(mutated.records.length);
  }
});
