import { expect, test } from 'vitest';
import { ReadRoom, readAhead } from './read-ahead.ts';

function pieces(...sizes: number[]) {
  return sizes.map((bytes, number) => ({ bytes, number }))[Symbol.iterator]();
}

test('as much is read at once as there is room for, in order, and the room is free again afterwards', async () => {
  const room = new ReadRoom(10);
  const begun: number[] = [];
  const seen: number[] = [];
  for await (const [, number] of readAhead(pieces(4, 4, 4, 4), room, async ({ number }) => {
    begun.push(number);
    return number;
  })) {
    seen.push(number);
    if (number === 0) expect(begun).toEqual([0, 1]);
    expect(room.heldBytes).toBeLessThanOrEqual(10);
  }
  expect(seen).toEqual([0, 1, 2, 3]);
  expect(room.heldBytes).toBe(0);
});

test('a piece larger than the room is read all the same, alone', async () => {
  const room = new ReadRoom(10);
  let running = 0;
  let most = 0;
  for await (const _ of readAhead(pieces(50, 50), room, async () => {
    most = Math.max(most, ++running);
  }))
    running--;
  expect(most).toBe(1);
  expect(room.heldBytes).toBe(0);
});

test('whoever stops early, or fails, gives the room back', async () => {
  const room = new ReadRoom(100);
  for await (const _ of readAhead(pieces(10, 10, 10), room, async () => {})) break;
  expect(room.heldBytes).toBe(0);
  const failing = readAhead(pieces(10, 10), room, async () => {
    throw new Error('no');
  });
  await expect(failing.next()).rejects.toThrow('no');
  expect(room.heldBytes).toBe(0);
});
