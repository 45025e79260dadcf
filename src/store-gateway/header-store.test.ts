import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { removeUnfinishedHeaders } from './header-store.ts';

test('what interrupted writes left in the cache is removed, finished headers stay', async () => {
  const disk = new MemoryDisk();
  const folder = 'cache/a/01HF7WTK10R3H52KGNW7N1SZDZ';
  await disk.makeDir(folder);
  for (const name of ['index-header', 'index-header.1f.tmp'])
    await disk.writeFileAtomic(`${folder}/${name}`, new Uint8Array(1));
  await removeUnfinishedHeaders(disk, 'cache');
  expect((await disk.list(folder)).map(({ name }) => name)).toEqual(['index-header']);
  await disk.writeFileAtomic('cache/a/stray', new Uint8Array(1));
  await removeUnfinishedHeaders(disk, 'cache');
  await removeUnfinishedHeaders(disk, 'no cache yet');
});
