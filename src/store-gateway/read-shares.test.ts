import { expect, test } from 'vitest';
import { ReadShares } from './read-shares.ts';

const MIB = 1024 * 1024;

test('a block that is read alone gets large pieces, and each of many at once small ones', () => {
  const shares = new ReadShares(1);
  expect(shares.enter(1)).toMatchObject({ entryBytes: MIB, decodedBytes: MIB, bytes: 4 * MIB });
  const many = Array.from({ length: 600 }, () => shares.enter(30));
  expect(many[0].decodedBytes).toBeGreaterThan(many[599].decodedBytes);
  for (const key of ['entryBytes', 'decodedBytes', 'aheadBytes', 'bytesWhenTight', 'batchBytes'] as const) {
    const held = many.reduce((sum, slice) => sum + slice[key], 0);
    // Those that came first have more, as in a harmonic series; and none has nothing.
    expect(held).toBeLessThan(130 * MIB);
    expect(many[599][key]).toBeGreaterThan(0);
  }
  for (let i = 0; i <= 600; i++) shares.leave();
  expect(shares.enter(1)).toMatchObject({ decodedBytes: MIB });
});

test('half of the memory is half of the pieces', () => {
  const [whole, half] = [1, 0.5].map((scale) => new ReadShares(scale).enter(32));
  expect(half.decodedBytes).toBe(whole.decodedBytes / 2);
  expect(half.bytes).toBe(whole.bytes / 2);
});
