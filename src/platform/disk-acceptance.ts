import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import type { Disk } from './disk.ts';

const text = (value: string) => new TextEncoder().encode(value);
const string = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** What every `Disk` does. `make` gives a disk and an existing empty folder on it. */
export function testDisk(make: () => Promise<{ disk: Disk; dir: string }>): void {
  let disk: Disk;
  let dir: string;
  const at = (...parts: string[]) => join(dir, ...parts);

  beforeEach(async () => {
    ({ disk, dir } = await make());
  });

  test('buffers are written in order at their offset and read back, short at the end', async () => {
    const file = await disk.open(at('a'), 'create');
    await file.writeAt([text('hello '), text(''), text('world')], 3);
    expect(await file.size()).toBe(14);
    const into = new Uint8Array(20).fill(7);
    expect(await file.readAt(into, 3)).toBe(11);
    expect(string(into.subarray(0, 11))).toBe('hello world');
    expect(file.readAtSync(into, 0)).toBe(14);
    expect([...into.subarray(0, 3)]).toEqual([0, 0, 0]);
    expect(await file.readAt(into, 100)).toBe(0);
    await file.close();
    await file.close();
  });

  test('a truncated file keeps its beginning and grows with zeros', async () => {
    const file = await disk.open(at('a'), 'create');
    await file.writeAt([text('abcdef')], 0);
    await file.truncate(2);
    await file.truncate(4);
    await file.sync();
    await file.close();
    expect([...(await disk.readFile(at('a')))]).toEqual([97, 98, 0, 0]);
  });

  test('open modes do what they say', async () => {
    await expect(disk.open(at('a'), 'read')).rejects.toMatchObject({ code: 'ENOENT' });
    expect(() => disk.openSync(at('a'), 'read')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    const made = await disk.open(at('a'), 'write');
    await made.writeAt([text('kept')], 0);
    await made.close();
    await expect(disk.open(at('a'), 'create')).rejects.toMatchObject({ code: 'EEXIST' });
    const again = disk.openSync(at('a'), 'write');
    expect(await again.size()).toBe(4);
    await again.close();
    await expect(disk.open(at('no', 'parent'), 'create')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a closed file cannot be used', async () => {
    const file = await disk.open(at('a'), 'create');
    await file.close();
    await expect(file.writeAt([text('x')], 0)).rejects.toMatchObject({ code: 'EBADF' });
    expect(() => file.readAtSync(new Uint8Array(1), 0)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  test('a file is replaced as a whole', async () => {
    await disk.writeFileAtomic(at('a'), text('first, longer'));
    await disk.writeFileAtomic(at('a'), text('second'));
    expect(string(await disk.readFile(at('a')))).toBe('second');
    expect((await disk.list(dir)).map((entry) => entry.name)).toEqual(['a']);
    await expect(disk.writeFileAtomic(at('no', 'a'), text('x'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('folders list sorted, absent ones as empty', async () => {
    await disk.makeDir(at('d', 'e'));
    await disk.makeDir(at('d', 'e'));
    await disk.writeFileAtomic(at('d', 'b'), text('12'));
    await disk.writeFileAtomic(at('d', 'a'), text(''));
    expect(await disk.list(at('d'))).toEqual([
      { name: 'a', isDirectory: false },
      { name: 'b', isDirectory: false },
      { name: 'e', isDirectory: true },
    ]);
    expect(await disk.list(at('nothing'))).toEqual([]);
    expect(await disk.stat(at('nothing'))).toBeUndefined();
    expect(await disk.stat(at('d', 'b'))).toMatchObject({ sizeBytes: 2, isDirectory: false });
    expect((await disk.stat(at('d')))?.isDirectory).toBe(true);
    await disk.syncDir(at('d'));
  });

  test('a renamed folder takes its content along, a renamed file replaces', async () => {
    await disk.makeDir(at('d.tmp', 'sub'));
    await disk.writeFileAtomic(at('d.tmp', 'sub', 'f'), text('x'));
    await disk.rename(at('d.tmp'), at('d'));
    expect(string(await disk.readFile(at('d', 'sub', 'f')))).toBe('x');
    expect(await disk.stat(at('d.tmp'))).toBeUndefined();
    await disk.writeFileAtomic(at('g'), text('old'));
    await disk.rename(at('d', 'sub', 'f'), at('g'));
    expect(string(await disk.readFile(at('g')))).toBe('x');
    await expect(disk.rename(at('no'), at('yes'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a link is a second name of the same bytes', async () => {
    await disk.writeFileAtomic(at('a'), text('same'));
    await disk.link(at('a'), at('b'));
    await expect(disk.link(at('a'), at('b'))).rejects.toMatchObject({ code: 'EEXIST' });
    await disk.remove(at('a'));
    expect(string(await disk.readFile(at('b')))).toBe('same');
  });

  test('removal is thorough, and quiet when nothing is there', async () => {
    await disk.makeDir(at('d', 'e'));
    await disk.writeFileAtomic(at('d', 'e', 'f'), text('x'));
    expect(await disk.removeEmptyDir(at('d'))).toBe(false);
    await disk.remove(at('d'));
    await disk.remove(at('d'));
    expect(await disk.stat(at('d', 'e', 'f'))).toBeUndefined();
    expect(await disk.removeEmptyDir(at('d'))).toBe(false);
    await disk.makeDir(at('d'));
    expect(await disk.removeEmptyDir(at('d'))).toBe(true);
  });

  test('a lock has one holder until it is released', async () => {
    const lock = await disk.lock(at('lock'));
    await expect(disk.lock(at('lock'))).rejects.toThrow(/held by process \d+/);
    await lock.release();
    await (await disk.lock(at('lock'))).release();
  });

  test('there is room', async () => {
    expect(await disk.freeBytes(dir)).toBeGreaterThan(0);
  });
}
