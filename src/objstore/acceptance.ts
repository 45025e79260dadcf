import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { compareStrings } from '../model/labels.ts';
import type { Bucket, BucketContext } from './bucket.ts';
import { readObject } from './object-reader.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A context that nothing cancels. */
export const CALM: BucketContext = { signal: new AbortController().signal };

/** What every bucket promises. `open` gives an empty one each time; it is closed after each test. */
export function acceptBucket(name: string, open: () => Promise<Bucket>): void {
  describe(name, () => {
    let bucket: Bucket;
    beforeEach(async () => {
      bucket = await open();
    });
    afterEach(async () => {
      await bucket.close();
    });
    const put = (key: string, text = key) => bucket.upload(CALM, key, encoder.encode(text));
    const text = async (key: string) => decoder.decode(await bucket.get(CALM, key));
    const keys = async (prefix: string, recursive: boolean, startAfter?: string) =>
      (await collect(bucket.list(CALM, prefix, { recursive, startAfter }))).map(({ key }) => key);

    test('what was uploaded is read back, and replaced by the next upload', async () => {
      await put('a/b.txt', 'one');
      expect(await text('a/b.txt')).toBe('one');
      await put('a/b.txt', 'two and more');
      expect(await text('a/b.txt')).toBe('two and more');
      await put('empty', '');
      expect(await text('empty')).toBe('');
    });

    test('a stream is stored as its pieces in order, whatever their sizes', async () => {
      const pieces = [3, 0, 1, 70_000, 5].map((size, i) => new Uint8Array(size).fill(i + 1));
      await bucket.upload(CALM, 'stream', streamOf(pieces));
      expect(Buffer.compare(await bucket.get(CALM, 'stream'), Buffer.concat(pieces))).toBe(0);
      await bucket.upload(CALM, 'nothing', streamOf([]));
      expect(await bucket.get(CALM, 'nothing')).toHaveLength(0);
    });

    test('an object larger than a part survives the way there and back in pieces', async () => {
      const data = new Uint8Array(11 * 1024 * 1024 + 17).map((_, i) => (i * 31) ^ (i >> 11));
      await bucket.upload(CALM, 'large', streamOf([data.subarray(0, 6_000_001), data.subarray(6_000_001)]));
      const back = Buffer.concat(await collect(readObject(bucket, CALM, 'large', 4_000_000)));
      expect(Buffer.compare(back, data)).toBe(0);
      await bucket.upload(CALM, 'large2', data);
      expect((await bucket.attributes(CALM, 'large2')).sizeBytes).toBe(data.length);
      const middle = await bucket.getRange(CALM, 'large2', 5_242_870, 20);
      expect(Buffer.compare(middle, data.subarray(5_242_870, 5_242_890))).toBe(0);
    });

    test('a body that fails midway leaves what was there before', async () => {
      await put('kept', 'before');
      for (const size of [10, 7 * 1024 * 1024]) {
        const broken = async function* () {
          yield new Uint8Array(size);
          throw new VeronaError('unavailable', 'the source broke');
        };
        await expect(bucket.upload(CALM, 'kept', broken())).rejects.toMatchObject({ code: 'unavailable' });
        await expect(bucket.upload(CALM, 'never', broken())).rejects.toThrow('the source broke');
      }
      expect(await text('kept')).toBe('before');
      expect(await bucket.exists(CALM, 'never')).toBe(false);
      expect(await keys('', true)).toEqual(['kept']);
    });

    test('an upload cancelled midway stores nothing', async () => {
      const controller = new AbortController();
      const body = async function* () {
        yield new Uint8Array(6 * 1024 * 1024);
        controller.abort();
        yield new Uint8Array(6 * 1024 * 1024);
      };
      const upload = bucket.upload({ signal: controller.signal }, 'cancelled', body());
      await expect(upload).rejects.toMatchObject({ name: 'VeronaError', code: 'canceled' });
      expect(await keys('', true)).toEqual([]);
    });

    test('a range is cut at the end of the object and empty beyond it', async () => {
      await put('ten', '0123456789');
      const range = async (offset: number, length: number) =>
        decoder.decode(await bucket.getRange(CALM, 'ten', offset, length));
      expect(await range(0, 1)).toBe('0');
      expect(await range(3, 4)).toBe('3456');
      expect(await range(8, 100)).toBe('89');
      expect(await range(10, 5)).toBe('');
      expect(await range(1000, 5)).toBe('');
    });

    test('of many creations of one key at once exactly one wins', async () => {
      const bodies = Array.from({ length: 8 }, (_, i) => `creator ${i}`);
      const results = await Promise.allSettled(
        bodies.map((body) => bucket.create(CALM, 'lock/one', encoder.encode(body))),
      );
      const won = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
      expect(won).toHaveLength(1);
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'conflict' });
      expect(await text('lock/one')).toBe(bodies[won[0]]);
      await expect(bucket.create(CALM, 'lock/one', encoder.encode('x'))).rejects.toMatchObject({
        code: 'conflict',
      });
      await bucket.delete(CALM, 'lock/one');
      await bucket.create(CALM, 'lock/one', encoder.encode('again'));
      expect(await text('lock/one')).toBe('again');
    });

    test('attributes tell size and time', async () => {
      const before = Date.now();
      await put('timed', 'four');
      const { sizeBytes, modifiedMs } = await bucket.attributes(CALM, 'timed');
      expect(sizeBytes).toBe(4);
      expect(Number.isSafeInteger(modifiedMs)).toBe(true);
      expect(Math.abs(modifiedMs - before)).toBeLessThan(60_000);
    });

    test('what is absent is not found, and its deletion is fine', async () => {
      await put('folder/there');
      for (const key of ['gone', 'folder', 'folder/gone', 'folder/there/below']) {
        await expect(bucket.get(CALM, key)).rejects.toMatchObject({ name: 'VeronaError', code: 'not_found' });
        await expect(bucket.getRange(CALM, key, 0, 1)).rejects.toMatchObject({ code: 'not_found' });
        await expect(bucket.attributes(CALM, key)).rejects.toMatchObject({ code: 'not_found' });
        expect(await bucket.exists(CALM, key)).toBe(false);
        await bucket.delete(CALM, key);
      }
      expect(await bucket.exists(CALM, 'folder/there')).toBe(true);
    });

    test('a deleted object is gone from reads and listings, and its folder with it', async () => {
      await put('t/u/one');
      await put('t/u/two');
      await bucket.delete(CALM, 't/u/one');
      expect(await keys('', true)).toEqual(['t/u/two']);
      await bucket.delete(CALM, 't/u/two');
      expect(await keys('', false)).toEqual([]);
      expect(await keys('t/', false)).toEqual([]);
    });

    test('a listing is ordered by the bytes of the keys, by folder or all below', async () => {
      const all = ['a.b/x', 'a/b/c', 'a/b/d', 'a/e', 'a0', 'é/ü', '😀', '\uffee', 'Z'];
      for (const key of all) await put(key);
      expect(await keys('', true)).toEqual([...all].sort(compareStrings));
      expect(await keys('', false)).toEqual(['Z', 'a.b/', 'a/', 'a0', 'é/', '\uffee', '😀']);
      expect(await keys('a/', false)).toEqual(['a/b/', 'a/e']);
      expect(await keys('a/', true)).toEqual(['a/b/c', 'a/b/d', 'a/e']);
      expect(await keys('nothing/', true)).toEqual([]);
      const [folder, object] = await collect(bucket.list(CALM, 'a/'));
      expect(folder.kind).toBe('folder');
      expect(object).toMatchObject({ kind: 'object', sizeBytes: 3 });
    });

    test('a listing goes on after a key, also when that key is gone', async () => {
      for (const key of ['a/1', 'a/2', 'a/3', 'b/1', 'c']) await put(key);
      expect(await keys('', true, 'a/2')).toEqual(['a/3', 'b/1', 'c']);
      expect(await keys('', true, 'a/25')).toEqual(['a/3', 'b/1', 'c']);
      expect(await keys('a/', true, 'a/2')).toEqual(['a/3']);
      expect(await keys('', false, 'a/')).toEqual(['b/', 'c']);
    });

    test('keys that are not usable everywhere are refused', async () => {
      for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a/./b', 'a\0b', 'a\nb', 'x'.repeat(1025)]) {
        await expect(put(key, 'x')).rejects.toMatchObject({ code: 'bad_data' });
        await expect(bucket.get(CALM, key)).rejects.toMatchObject({ code: 'bad_data' });
        await expect(bucket.delete(CALM, key)).rejects.toMatchObject({ code: 'bad_data' });
      }
      await expect(collect(bucket.list(CALM, 'no-slash'))).rejects.toMatchObject({ code: 'bad_data' });
      await expect(bucket.getRange(CALM, 'a', -1, 1)).rejects.toMatchObject({ code: 'bad_data' });
      await expect(bucket.getRange(CALM, 'a', 0, 0)).rejects.toMatchObject({ code: 'bad_data' });
    });

    test('an object over the accepted size is refused before it is read', async () => {
      await put('big', 'x'.repeat(100));
      await expect(bucket.get(CALM, 'big', 99)).rejects.toMatchObject({ code: 'too_large' });
      expect(await bucket.get(CALM, 'big', 100)).toHaveLength(100);
    });

    test('a cancelled call does nothing, and a passed deadline says so', async () => {
      await put('there');
      const cancelled = { signal: AbortSignal.abort() };
      const calls = [
        () => bucket.get(cancelled, 'there'),
        () => bucket.getRange(cancelled, 'there', 0, 1),
        () => bucket.upload(cancelled, 'there', new Uint8Array(1)),
        () => bucket.create(cancelled, 'new', new Uint8Array(1)),
        () => bucket.exists(cancelled, 'there'),
        () => bucket.attributes(cancelled, 'there'),
        () => bucket.delete(cancelled, 'there'),
        () => collect(bucket.list(cancelled, '')),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'canceled' });
      expect(await keys('', true)).toEqual(['there']);
      const late = { signal: AbortSignal.abort(new DOMException('late', 'TimeoutError')) };
      await expect(bucket.get(late, 'there')).rejects.toMatchObject({ code: 'timeout' });
    });

    test('a listing can be left early and cancelled midway', async () => {
      for (let i = 0; i < 5; i++) await put(`k/${i}`);
      for await (const entry of bucket.list(CALM, 'k/')) {
        expect(entry.key).toBe('k/0');
        break;
      }
      const controller = new AbortController();
      const seen: string[] = [];
      const walk = async () => {
        for await (const { key } of bucket.list(controller, 'k/')) {
          seen.push(key);
          controller.abort();
        }
      };
      await expect(walk()).rejects.toMatchObject({ code: 'canceled' });
      expect(seen).toEqual(['k/0']);
    });

    test('returned and given bytes are not shared with the store', async () => {
      const given = encoder.encode('mine');
      await bucket.upload(CALM, 'own', given);
      given.fill(0);
      const got = await bucket.get(CALM, 'own');
      expect(decoder.decode(got)).toBe('mine');
      got.fill(0);
      expect(await text('own')).toBe('mine');
    });
  });
}

/** All of a stream in an array. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function* streamOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
