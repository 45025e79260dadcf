import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { STALE_NAN_BITS } from '../model/sample.ts';
import { SeededRandom } from '../platform/random.ts';
import { decodeXor, XorAppender } from './xor.ts';

function bitsOf(values: Float64Array): bigint[] {
  return [...new BigUint64Array(values.buffer, values.byteOffset, values.length)];
}

const anyBits = fc.oneof(
  fc.constantFrom(
    0n,
    1n << 63n,
    STALE_NAN_BITS,
    0x7ff8000000000001n,
    0x7ff0000000000000n,
    1n,
    0x4059000000000000n,
  ),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);
const gaps = fc.oneof(
  fc.constant(15_000),
  fc.integer({ min: 1, max: 40_000 }),
  fc.integer({ min: 1, max: 2 ** 40 }),
);

test('a chunk gives back every time and every bit of the values', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
      fc.array(fc.tuple(gaps, anyBits), { maxLength: 200 }),
      (first, samples) => {
        const appender = new XorAppender();
        const values = new Float64Array(new BigUint64Array(samples.map(([, bits]) => bits)).buffer);
        let t = first;
        const times = samples.map(([gap]) => (t += gap));
        for (const [i, time] of times.entries()) appender.append(time, values[i]);
        const chunk = appender.bytes();
        const decoded = decodeXor(chunk, 0, chunk.length);
        expect([...decoded.timestamps]).toEqual(times);
        expect(bitsOf(decoded.values)).toEqual(bitsOf(values));
        expect(appender.byteLength).toBe(chunk.length);
      },
    ),
  );
});

test('a resumed chunk goes on as if it had never been closed', () => {
  const whole = new XorAppender();
  const half = new XorAppender();
  for (let i = 0; i < 60; i++) whole.append(i * 1000, Math.sqrt(i));
  for (let i = 0; i < 30; i++) half.append(i * 1000, Math.sqrt(i));
  const resumed = XorAppender.resume(half.bytes().slice());
  for (let i = 30; i < 60; i++) resumed.append(i * 1000, Math.sqrt(i));
  expect(resumed.bytes()).toEqual(whole.bytes());
});

test('a chunk inside a larger buffer does not read what follows it', () => {
  const appender = new XorAppender();
  appender.append(1, 1);
  const chunk = appender.bytes();
  const padded = new Uint8Array(chunk.length + 20).fill(0xff);
  padded.set(chunk, 10);
  expect([...decodeXor(padded, 10, chunk.length).timestamps]).toEqual([1]);
  padded[11] = 2;
  expect(() => decodeXor(padded, 10, chunk.length)).toThrow(/chunk ends at byte/);
});

test('mutated chunks decode or fail as corrupt', () => {
  const random = new SeededRandom(7);
  const appender = new XorAppender();
  for (let i = 0; i < 120; i++) appender.append(i * 15_000 + (i % 7), i % 3 === 0 ? Math.sin(i) : i);
  const good = appender.bytes().slice();
  for (let round = 0; round < 5_000; round++) {
    const bad = good.slice(0, 1 + Math.floor(random.next() * good.length));
    for (let k = 0; k < 3; k++)
      bad[Math.floor(random.next() * bad.length)] ^= 1 << Math.floor(random.next() * 8);
    try {
      decodeXor(bad, 0, bad.length);
    } catch (error) {
      expect(error).toBeInstanceOf(VeronaError);
      expect((error as VeronaError).code).toBe('corrupt');
    }
  }
});

test('times that do not ascend are corrupt', () => {
  // Two samples, second delta 0.
  const chunk = Uint8Array.from([0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(() => decodeXor(chunk, 0, chunk.length)).toThrow('time of sample 1 is 1, after 1');
});
