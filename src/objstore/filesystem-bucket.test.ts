import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { SystemClock } from '../platform/clock.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SystemRandom } from '../platform/random.ts';
import { acceptBucket, CALM, collect } from './acceptance.ts';
import { FilesystemBucket } from './filesystem-bucket.ts';
import { MemoryBucket } from './memory-bucket.ts';
import { MeteredBucket } from './metered-bucket.ts';
import { PrefixedBucket } from './prefixed-bucket.ts';
import { StoreCounts } from './store-counts.ts';

const dirs: string[] = [];
const deps = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };

afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'verona-bucket-'));
  dirs.push(dir);
  return dir;
}

acceptBucket('FilesystemBucket', async () => new FilesystemBucket(join(newDir(), 'made/when/needed'), deps));

test('nothing but the objects stays in the folder', async () => {
  const dir = newDir();
  const bucket = new FilesystemBucket(dir, deps);
  await bucket.upload(CALM, 'a/b/c', new Uint8Array(1));
  await expect(bucket.create(CALM, 'a/b/c', new Uint8Array(1))).rejects.toMatchObject({ code: 'conflict' });
  expect(readdirSync(join(dir, '.uploads'))).toEqual([]);
  await bucket.delete(CALM, 'a/b/c');
  expect(readdirSync(dir)).toEqual(['.uploads']);
});

test('an object gets a second name on its disk, which stays when the object is replaced or deleted', async () => {
  const dir = newDir();
  const files = new FilesystemBucket(join(dir, 'bucket'), deps);
  const counts = new StoreCounts();
  const bucket = new PrefixedBucket(new MeteredBucket(files, deps.clock, counts), 'p');
  await bucket.upload(CALM, 'a', Buffer.from('old'));
  expect(await bucket.link(CALM, 'a', join(dir, 'copy'))).toBe(true);
  await bucket.upload(CALM, 'a', Buffer.from('new'));
  await bucket.delete(CALM, 'a');
  expect(readFileSync(join(dir, 'copy'), 'utf8')).toBe('old');
  await expect(bucket.link(CALM, 'a', join(dir, 'other'))).rejects.toMatchObject({ code: 'not_found' });
  await bucket.upload(CALM, 'b', Buffer.from('b'));
  await expect(bucket.link(CALM, 'b', join(dir, 'copy'))).rejects.toMatchObject({ code: 'conflict' });
  const inMemory = new PrefixedBucket(new MemoryBucket(deps.clock), 'p');
  expect(await inMemory.link(CALM, 'b', join(dir, 'other'))).toBe(false);
});

test('an upload that a dead process left is swept after a day, a younger one is not', async () => {
  const dir = newDir();
  await new FilesystemBucket(dir, deps).upload(CALM, 'first', new Uint8Array(1));
  for (const name of ['old', 'young']) writeFileSync(join(dir, '.uploads', name), 'half');
  const old = Date.now() / 1000 - 25 * 3600;
  utimesSync(join(dir, '.uploads', 'old'), old, old);
  await new FilesystemBucket(dir, deps).upload(CALM, 'second', new Uint8Array(1));
  expect(readdirSync(join(dir, '.uploads'))).toEqual(['young']);
});

test('a file whose name can be no key is left out of listings', async () => {
  const dir = newDir();
  const bucket = new FilesystemBucket(dir, deps);
  await bucket.upload(CALM, 'fine', new Uint8Array(1));
  writeFileSync(join(dir, 'line\nbreak'), 'x');
  writeFileSync(join(dir, 'back\\slash'), 'x');
  for (const recursive of [true, false])
    expect((await collect(bucket.list(CALM, '', { recursive }))).map(({ key }) => key)).toEqual(['fine']);
});

test('a folder that was listed is listed again without being looked into, until its last object is deleted', async () => {
  const dir = newDir();
  const looked: string[] = [];
  const disk = Object.create(deps.disk, {
    list: {
      value: (path: string) => {
        looked.push(path.slice(dir.length));
        return deps.disk.list(path);
      },
    },
  }) as NodeDisk;
  const bucket = new FilesystemBucket(dir, { ...deps, disk });
  const other = new FilesystemBucket(dir, deps);
  const listed = async () => {
    looked.length = 0;
    return (await collect(bucket.list(CALM, ''))).map(({ key }) => key);
  };
  for (const key of ['a/x', 'b/x']) await bucket.upload(CALM, key, new Uint8Array(1));
  expect(await listed()).toEqual(['a/', 'b/']);
  expect(looked).toEqual(['', '/a', '/b']);
  await other.upload(CALM, 'c/x', new Uint8Array(1));
  await other.delete(CALM, 'a/x');
  expect(await listed()).toEqual(['b/', 'c/']);
  expect(looked).toEqual(['', '/c']);
  writeFileSync(join(dir, 'b/line\nbreak'), 'x');
  await bucket.delete(CALM, 'b/x');
  expect(await listed()).toEqual(['c/']);
  expect(looked).toEqual(['', '/b']);
  await other.upload(CALM, 'd/x', new Uint8Array(1));
  await collect(bucket.list(CALM, '', { recursive: true }));
  expect(await listed()).toEqual(['c/', 'd/']);
  expect(looked).toEqual(['', '/b']);
});

test('a key in the way of another one is a conflict', async () => {
  const bucket = new FilesystemBucket(newDir(), deps);
  await bucket.upload(CALM, 'a', new Uint8Array(1));
  await expect(bucket.upload(CALM, 'a/b', new Uint8Array(1))).rejects.toMatchObject({ code: 'conflict' });
  await bucket.upload(CALM, 'c/d', new Uint8Array(1));
  await expect(bucket.upload(CALM, 'c', new Uint8Array(1))).rejects.toMatchObject({ code: 'conflict' });
  expect(await bucket.exists(CALM, 'c/d')).toBe(true);
});

test('the folder of unfinished uploads cannot be used as a key', async () => {
  const bucket = new FilesystemBucket(newDir(), deps);
  await expect(bucket.upload(CALM, '.uploads/x', new Uint8Array(1))).rejects.toMatchObject({
    code: 'bad_data',
  });
});

test('uploads into a folder that deletions empty all the time succeed', async () => {
  const dir = newDir();
  const bucket = new FilesystemBucket(dir, deps);
  const busy = async (key: string) => {
    for (let i = 0; i < 40; i++) {
      await bucket.upload(CALM, key, new Uint8Array(1));
      await bucket.delete(CALM, key);
    }
  };
  await Promise.all([busy('x/y/1'), busy('x/y/2'), busy('x/3')]);
  expect(await collect(bucket.list(CALM, ''))).toEqual([]);
  expect(statSync(dir).isDirectory()).toBe(true);
});
