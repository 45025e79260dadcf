import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { findFiles, matchesPattern } from './find-files.ts';

test('patterns stand for the files that are there', async () => {
  const disk = new MemoryDisk();
  for (const path of ['/r/a/one.yml', '/r/a/two.yaml', '/r/b/one.yml', '/r/c[1].yml']) {
    await disk.makeDir(path.slice(0, path.lastIndexOf('/')));
    await disk.writeFileAtomic(path, new Uint8Array());
  }
  expect(await findFiles(disk, '/r/*/*.yml')).toEqual(['/r/a/one.yml', '/r/b/one.yml']);
  expect(await findFiles(disk, '/r/[b-z]/o?e.yml')).toEqual(['/r/b/one.yml']);
  expect(await findFiles(disk, '/r/a/one.yml')).toEqual(['/r/a/one.yml']);
  expect(await findFiles(disk, '/r/c\\[1].yml')).toEqual(['/r/c[1].yml']);
  expect(await findFiles(disk, '/r/a')).toEqual([]);
  expect(await findFiles(disk, '/r/absent*')).toEqual([]);
});

test('stars match as a regular expression would, in little time', () => {
  const piece = fc.constantFrom('a', 'b', '*', '?', '.');
  fc.assert(
    fc.property(fc.array(piece), fc.array(fc.constantFrom('a', 'b', '.')), (pattern, name) => {
      const source = pattern
        .map(
          (part) =>
            new Map([
              ['*', '.*'],
              ['?', '.'],
              ['.', '\\.'],
            ]).get(part) ?? part,
        )
        .join('');
      expect(matchesPattern(pattern.join(''), name.join(''))).toBe(
        new RegExp(`^${source}$`).test(name.join('')),
      );
    }),
  );
  expect(matchesPattern('*a'.repeat(500), 'a'.repeat(499))).toBe(false);
});
