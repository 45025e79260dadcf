import { expect, test } from 'vitest';
import { testDisk } from './disk-acceptance.ts';
import { MemoryDisk } from './memory-disk.ts';

testDisk(async () => {
  const disk = new MemoryDisk();
  await disk.makeDir('/d');
  return { disk, dir: '/d' };
});

async function makeDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await disk.makeDir('/d');
  await disk.syncDir('/');
  return disk;
}

test('synced bytes and names survive every crash, others survive some', async () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 50; seed++) {
    const disk = await makeDisk();
    const file = await disk.open('/d/a', 'create');
    await file.writeAt([new Uint8Array(1024).fill(1)], 0);
    await file.sync();
    await disk.syncDir('/d');
    await file.writeAt([new Uint8Array(1024).fill(2)], 1024);
    await disk.rename('/d/a', '/d/b');
    disk.crash(seed);
    await expect(file.size()).rejects.toMatchObject({ code: 'EBADF' });
    const [{ name }] = await disk.list('/d');
    const bytes = await disk.readFile(`/d/${name}`);
    expect(bytes.subarray(0, 1024).every((byte) => byte === 1)).toBe(true);
    outcomes.add(`${name} ${bytes.length} ${bytes.filter((byte) => byte === 2).length}`);
  }
  expect(outcomes).toContain('a 1024 0');
  expect(outcomes).toContain('b 2048 1024');
  expect(outcomes).toContain('a 2048 512');
});

test('a full disk takes a part of the write, a read-only one nothing', async () => {
  const disk = await makeDisk();
  const file = await disk.open('/d/a', 'create');
  disk.faults.bytesLeft = 3;
  await expect(file.writeAt([new Uint8Array(2), new Uint8Array(2)], 0)).rejects.toMatchObject({
    code: 'ENOSPC',
  });
  expect(await file.size()).toBe(3);
  disk.faults.readOnly = true;
  await expect(file.writeAt([new Uint8Array(0)], 0)).rejects.toMatchObject({ code: 'EROFS' });
  await expect(disk.makeDir('/d/x')).rejects.toMatchObject({ code: 'EROFS' });
  disk.faults.readOnly = false;
  disk.faults.fails = (operation) => operation === 'sync';
  await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
});
