import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { GoneBlocks } from './gone-blocks.ts';

const gone = new VeronaError('not_found', 'read acme/B/index: no such object');

test('a query whose block is gone is asked once more after a look at the bucket', async () => {
  const looks: string[] = [];
  const blocks = new GoneBlocks(async (tenant) => void looks.push(tenant));
  let calls = 0;
  const attempt = async () => {
    if (++calls === 1) throw gone;
    return 'answer';
  };
  expect(await blocks.again('acme', attempt)).toBe('answer');
  expect([calls, looks]).toEqual([2, ['acme']]);
});

test('one look serves all that fail during it', async () => {
  let looks = 0;
  let end = () => {};
  const blocks = new GoneBlocks(() => {
    looks++;
    return new Promise((resolve) => {
      end = resolve;
    });
  });
  const tried = new Set<number>();
  const all = [1, 2, 3].map((i) =>
    blocks.again('acme', async () => {
      if (!tried.has(i)) {
        tried.add(i);
        throw gone;
      }
      return i;
    }),
  );
  await new Promise((resolve) => setImmediate(resolve));
  end();
  expect(await Promise.all(all)).toEqual([1, 2, 3]);
  expect(looks).toBe(1);
});

test('what is gone twice is unavailable, and other failures are not tried again', async () => {
  let looks = 0;
  const blocks = new GoneBlocks(async () => void looks++);
  await expect(blocks.again('acme', () => Promise.reject(gone))).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('acme/B/index'),
  });
  expect(looks).toBe(1);
  const other = new VeronaError('corrupt', 'bad');
  await expect(blocks.again('acme', () => Promise.reject(other))).rejects.toBe(other);
  expect(looks).toBe(1);
});
