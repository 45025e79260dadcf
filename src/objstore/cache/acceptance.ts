import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Cache } from './cache.ts';

/** What every cache promises. `open` gives an empty one with room for at least 8 MiB. */
export function acceptCache(name: string, open: () => Promise<Cache>): void {
  describe(name, () => {
    let cache: Cache;
    const bytes = (text: string) => new Uint8Array(Buffer.from(text));
    const get = async (key: string) => {
      const value = (await cache.getMany([key])).get(key);
      return value && Buffer.from(value).toString('latin1');
    };
    beforeEach(async () => {
      cache = await open();
    });
    afterEach(async () => {
      await cache.close();
    });

    test('what was kept is found, by any key, and replaced by the next', async () => {
      const keys = ['a', 'a b/c ü😀', 'x'.repeat(2000), '../../etc/passwd', 'line\r\nend', ''];
      for (const key of keys) await cache.set(key, bytes(`value of ${key.length}`), 60_000);
      for (const key of keys) expect(await get(key)).toBe(`value of ${key.length}`);
      expect([...(await cache.getMany([...keys, 'absent'])).keys()].sort()).toEqual([...keys].sort());
      await cache.set('a', bytes('other'), 60_000);
      expect(await get('a')).toBe('other');
      expect(await get('absent')).toBeUndefined();
    });

    test('values of every byte and many sizes come back as they were', async () => {
      const sizes = [0, 1, 2, 100, 16_004, 700_000];
      const value = (size: number) => new Uint8Array(size).map((_, i) => (i * 131) ^ (i >> 7));
      for (const size of sizes) await cache.set(`size ${size}`, value(size), 60_000);
      const found = await cache.getMany(sizes.map((size) => `size ${size}`));
      for (const size of sizes)
        expect(Buffer.compare(found.get(`size ${size}`) ?? Buffer.from('none'), value(size))).toBe(0);
    });

    test('hundreds of keys at once are answered, in parallel too', async () => {
      const keys = Array.from({ length: 400 }, (_, i) => `key ${i}`);
      await Promise.all(keys.map((key) => cache.set(key, bytes(key), 60_000)));
      const answers = await Promise.all(Array.from({ length: 5 }, () => cache.getMany([...keys, 'absent'])));
      for (const answer of answers) {
        expect(answer.size).toBe(400);
        expect(Buffer.from(answer.get('key 399') as Uint8Array).toString()).toBe('key 399');
      }
      expect((await cache.getMany([])).size).toBe(0);
    });

    test('a value is forgotten after its time', async () => {
      await cache.set('short', bytes('x'), 1_000);
      await cache.set('long', bytes('y'), 60_000);
      expect(await get('short')).toBe('x');
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      expect(await get('short')).toBeUndefined();
      expect(await get('long')).toBe('y');
    });
  });
}
