import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeXor, XorAppender } from '../chunkenc/xor.ts';
import { STALE_NAN_BITS } from '../model/sample.ts';
import { ChunkKernel } from './chunk-kernel.ts';
import { plainOutOfReach } from './plain-reach.ts';

const kernel = new ChunkKernel();

const anyBits = fc.oneof(
  fc.constantFrom(0n, 1n << 63n, STALE_NAN_BITS, 0x7ff8000000000001n, 0x4059000000000000n),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  // Neighbours that share their upper bits.
  fc.bigInt({ min: 0x4059000000000000n, max: 0x4059000000000fffn }),
);
const gap = fc.oneof(
  fc.constant(15_000),
  fc.integer({ min: 1, max: 40_000 }),
  fc.integer({ min: 1, max: 2_000_000 }),
  fc.integer({ min: 1, max: 2 ** 40 }),
);
const samples = fc
  .record({
    first: fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
    list: fc.array(fc.tuple(gap, anyBits), { minLength: 1, maxLength: 200 }),
  })
  .map(({ first, list }) => {
    let t = first;
    return {
      timestamps: Float64Array.from(list, ([step]) => (t += step)),
      values: new Float64Array(BigUint64Array.from(list, ([, bits]) => bits).buffer),
    };
  });

test('a chunk is encoded to the bytes of the plain encoder, from any sample to any other', () => {
  fc.assert(
    fc.property(samples, fc.nat(), fc.nat(), ({ timestamps, values }, x, y) => {
      const from = x % timestamps.length;
      const to = from + 1 + (y % (timestamps.length - from));
      const plain = new XorAppender();
      for (let i = from; i < to; i++) plain.append(timestamps[i], values[i]);
      const columns = kernel.columns();
      kernel.push(columns, timestamps, values);
      expect(hex(kernel.encode(columns, from, to))).toEqual(hex(plain.bytes()));
    }),
    { numRuns: 500 },
  );
});

test('a chunk is decoded behind the samples that are there, bit for bit', () => {
  const columns = kernel.columns();
  fc.assert(
    fc.property(samples, fc.integer({ min: 1, max: 80 }), ({ timestamps, values }, size) => {
      kernel.clear(columns);
      for (let from = 0; from < timestamps.length; from += size) {
        const to = Math.min(from + size, timestamps.length);
        const plain = new XorAppender();
        for (let i = from; i < to; i++) plain.append(timestamps[i], values[i]);
        kernel.decode(plain.bytes(), columns);
        expect(hex(kernel.encode(columns, from, to))).toEqual(hex(plain.bytes()));
      }
      expect(Array.from(timestamps, (_, i) => kernel.timeAt(columns, i))).toEqual([...timestamps]);
    }),
  );
});

test('mutated bytes decode to what the plain decoder reads, or to an error', () => {
  const columns = kernel.columns();
  fc.assert(
    fc.property(
      samples,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }),
      ({ timestamps, values }, mutations) => {
        const plain = new XorAppender();
        for (let i = 0; i < timestamps.length; i++) plain.append(timestamps[i], values[i]);
        const bytes = plain.bytes().slice();
        for (const [at, bits] of mutations) bytes[at % bytes.length] ^= bits;
        kernel.clear(columns);
        try {
          kernel.decode(bytes, columns);
        } catch (error) {
          expect(error).toMatchObject({ code: 'corrupt' });
          return;
        }
        const { timestamps: times } = decodeXor(bytes, 0, bytes.length);
        // The plain decoder's numbers have 53 bits for a time and its sign.
        if (times.every((t) => Math.abs(t) < 2 ** 52))
          expect(Array.from(times, (_, i) => kernel.timeAt(columns, i))).toEqual([...times]);
      },
    ),
    { numRuns: 1000 },
  );
});

test('columns keep their samples when they grow, and NaN is left out', () => {
  const columns = kernel.columns();
  const other = kernel.columns();
  const count = 5000;
  const timestamps = Float64Array.from({ length: count }, (_, i) => i * 10);
  const values = Float64Array.from({ length: count }, (_, i) => (i % 3 === 0 ? Number.NaN : i));
  for (let from = 0; from < count; from += 700)
    kernel.push(columns, timestamps.subarray(from, from + 700), values.subarray(from, from + 700));
  kernel.pushRange(other, columns, 0, 100);
  kernel.dropNaN(columns);
  kernel.pushRange(other, columns, 1, 3);
  const kept = Array.from(timestamps).filter((_, i) => i % 3 !== 0);
  expect(columns.count).toBe(kept.length);
  expect(kept.map((_, i) => kernel.timeAt(columns, i))).toEqual(kept);
  expect([100, 101].map((i) => kernel.timeAt(other, i))).toEqual([20, 40]);
  const chunk = kernel.encode(columns, 0, 3);
  expect([...decodeXor(chunk, 0, chunk.length).values]).toEqual([1, 2, 4]);
});

test('samples that come late go to their place, and the later one of two stays', () => {
  const columns = kernel.columns();
  fc.assert(
    fc.property(
      fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 40 }), {
        minLength: 1,
        maxLength: 5,
      }),
      (lists) => {
        kernel.clear(columns);
        const expected = new Map<number, number>();
        for (const [k, list] of lists.entries()) {
          const timestamps = Float64Array.from(list).sort();
          kernel.push(columns, timestamps, new Float64Array(list.length).fill(k + 1));
          for (const t of timestamps) expected.set(t, k + 1);
        }
        const sorted = [...expected].sort(([a], [b]) => a - b);
        const chunk = kernel.encode(columns, 0, columns.count);
        const { timestamps, values } = decodeXor(chunk, 0, chunk.length);
        expect(Array.from(timestamps, (t, i) => [t, values[i]])).toEqual(sorted);
      },
    ),
  );
});

const times = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(15, 15, 15, 14, 16) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 90 }) },
      { weight: 1, arbitrary: fc.integer({ min: 100, max: 1000 }) },
    ),
    { maxLength: 80 },
  )
  .chain((gaps) =>
    fc.nat(60).map((start) => {
      let t = start;
      return Float64Array.from(gaps, (gap) => (t += gap));
    }),
  );

test('samples out of reach of others are those of the plain twin', () => {
  fc.assert(
    fc.property(times, times, (base, own) => {
      expect([...kernel.outOfReach(base, own, 0.75, 300)]).toEqual(plainOutOfReach(base, own, 0.75, 300));
    }),
    { numRuns: 1000 },
  );
});

test('staleness markers are told from other NaN', () => {
  const bits = BigUint64Array.of(
    STALE_NAN_BITS,
    0x7ff8000000000001n,
    0n,
    STALE_NAN_BITS,
    STALE_NAN_BITS + 1n,
  );
  expect(kernel.countStale(new Float64Array(bits.buffer))).toBe(2);
  expect(kernel.countStale(new Float64Array(0))).toBe(0);
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
