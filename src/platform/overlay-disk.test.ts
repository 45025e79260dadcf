import { expect, test } from 'vitest';
import { MemoryDisk } from './memory-disk.ts';
import { OverlayDisk } from './overlay-disk.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

async function filled(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await disk.makeDir('/d/sub');
  await disk.writeFileAtomic('/d/a', bytes('one'));
  await disk.writeFileAtomic('/d/sub/b', bytes('two'));
  return disk;
}

/** Every path with its content. */
async function contents(disk: MemoryDisk | OverlayDisk, dir = '/d'): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { name, isDirectory } of await disk.list(dir))
    if (isDirectory) Object.assign(found, await contents(disk, `${dir}/${name}`));
    else found[`${dir}/${name}`] = text(await disk.readFile(`${dir}/${name}`));
  return found;
}

test('changes are seen, and the disk below stays as it was', async () => {
  const below = await filled();
  const disk = new OverlayDisk(below);
  await disk.writeFileAtomic('/d/new/c', bytes('three'));
  await disk.remove('/d/a');
  await disk.rename('/d/sub', '/d/moved');
  await disk.link('/d/moved/b', '/d/linked');
  const file = await disk.open('/d/moved/b', 'write');
  await file.writeAt([bytes('T')], 0);
  await file.close();
  expect(await contents(disk)).toEqual({ '/d/linked': 'two', '/d/moved/b': 'Two', '/d/new/c': 'three' });
  expect(await disk.stat('/d/sub/b')).toBeUndefined();
  await expect(disk.readFile('/d/a')).rejects.toThrow('ENOENT');
  expect(await contents(below)).toEqual({ '/d/a': 'one', '/d/sub/b': 'two' });
});

test('a file opened for writing is the one below until it is changed', async () => {
  const below = await filled();
  const disk = new OverlayDisk(below);
  const file = await disk.open('/d/a', 'write');
  const into = new Uint8Array(3);
  expect(await file.readAt(into, 0)).toBe(3);
  expect(text(into)).toBe('one');
  await file.truncate(1);
  expect(await file.size()).toBe(1);
  await file.close();
  expect(await contents(disk)).toEqual({ '/d/a': 'o', '/d/sub/b': 'two' });
  expect(text(await below.readFile('/d/a'))).toBe('one');
  await expect(disk.open('/d/a', 'create')).rejects.toThrow('EEXIST');
});

test('a lock keeps nobody out', async () => {
  const below = await filled();
  const held = await below.lock('/d/lock');
  await (await new OverlayDisk(below).lock()).release();
  await held.release();
});
