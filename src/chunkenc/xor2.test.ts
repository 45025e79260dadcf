import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { STALE_NAN_BITS } from '../model/sample.ts';
import { SeededRandom } from '../platform/random.ts';
import { decodeChunk } from './chunk.ts';
import { classicChunk } from './classic-chunk.ts';
import { ChunkEncoding } from './encoding.ts';
import { decodeXor } from './xor.ts';
import { decodeXor2, Xor2Appender } from './xor2.ts';

/** A chunk out of its bits, as the drawing has them; white space is for people. */
function fromBits(...parts: string[]): Uint8Array {
  const bits = parts.join('').replaceAll(/\s/g, '');
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0');
  return Uint8Array.from(padded.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}

const hex = (text: string) =>
  [...text].map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0')).join('');
const low = (value: number, length: number) =>
  BigInt.asUintN(length, BigInt(value)).toString(2).padStart(length, '0');

/** By hand from the layout in Prometheus' source: times, values, start times, and the bits they must become. */
const DERIVED: readonly {
  readonly name: string;
  readonly samples: readonly (readonly [t: number, v: number | 'stale', startT: number])[];
  readonly chunk: Uint8Array;
}[] = [
  {
    name: 'without start times',
    samples: [
      [1000, 1, 0],
      [16_000, 1, 0],
      [31_000, 1, 0],
      [46_001, 2, 0],
    ],
    chunk: fromBits(
      hex('0004 00'.replace(' ', '')),
      hex('d00f'), // 1000 as varint
      hex('3ff0000000000000'),
      hex('9875'), // 15000 as uvarint
      '0', // same value
      '0', // same delta, same value
      `110 ${low(1, 13)} 110 ${low(1, 5)} ${low(11, 6)} ${'1'.repeat(11)}`, // 3ff0… ^ 4000… = 7ff0…
    ),
  },
  {
    name: 'with a start time that changes, and a stale sample in between',
    samples: [
      [1000, 1, 400],
      [16_000, 1, 400],
      [31_000, 'stale', 2000],
      [46_000, 1.5, 2000],
      [60_000, 1.5, 46_000],
    ],
    chunk: fromBits(
      hex('0005'),
      hex('82'), // the first is known, the third changes
      hex('d00f'),
      hex('3ff0000000000000'),
      hex('b009'), // 1000 - 400 as varint
      hex('9875'),
      '0',
      '11111', // same delta, stale
      `111110 ${low(16_000 - 2000, 18)}`,
      `10 1 ${low(12, 5)} ${low(1, 6)} 1`, // 3ff0… ^ 3ff8… = 0008…
      `111110 ${low(31_000 - 2000 - 14_000, 18)}`,
      `110 ${low(-1000, 13)} 0`,
      `111110 ${low(0 - 29_000, 18)}`,
    ),
  },
  {
    name: 'with long gaps',
    samples: [
      [0, 0, 0],
      [1, 0, 0],
      [500_000, 0, 0],
      [2 ** 41, 0, 7],
    ],
    chunk: fromBits(
      hex('0004'),
      hex('03'),
      hex('00'),
      hex('0000000000000000'),
      hex('01'),
      '0',
      `1110 ${low(499_998, 20)} 0`,
      `11110 ${low(2 ** 41 - 500_000 - 499_999, 64)} 0`,
      `1111110 ${low(500_000 - 7, 25)}`,
    ),
  },
];

test.each(DERIVED)('a chunk $name has the bytes of the layout, both ways', ({ samples, chunk }) => {
  // In a list of numbers the marker would lose its bits.
  const values = Float64Array.from(samples, ([, v]) => (v === 'stale' ? 0 : v));
  for (const [i, [, v]] of samples.entries())
    if (v === 'stale') new BigUint64Array(values.buffer)[i] = STALE_NAN_BITS;
  const appender = new Xor2Appender();
  for (const [i, [t, , startT]] of samples.entries()) appender.append(t, values[i], startT);
  expect(Buffer.from(appender.bytes()).toString('hex')).toBe(Buffer.from(chunk).toString('hex'));
  const decoded = decodeXor2(chunk, 0, chunk.length);
  expect([...decoded.timestamps]).toEqual(samples.map(([t]) => t));
  expect(bitsOf(decoded.values)).toEqual(bitsOf(values));
  expect([...(decoded.startTimes ?? samples.map(() => 0))]).toEqual(samples.map(([, , startT]) => startT));
});

const anyBits = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0x3ff0000000000000n, 0x4059000000000000n) },
  fc.constantFrom(STALE_NAN_BITS, 0n, 1n << 63n, 0x7ff8000000000001n),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);
const gap = fc.oneof(
  { weight: 3, arbitrary: fc.constant(15_000) },
  fc.integer({ min: 1, max: 40_000 }),
  fc.integer({ min: 1, max: 2 ** 40 }),
);
/** Relative to the sample, absent, or as before. */
const start = fc.oneof(
  { weight: 6, arbitrary: fc.constant('same' as const) },
  fc.constant('none' as const),
  fc.integer({ min: -1000, max: 2 ** 42 }),
);

test('any samples with any start times are decoded to the same bits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
      fc.array(fc.tuple(gap, anyBits, start), { minLength: 1, maxLength: 200, size: 'max' }),
      (first, list) => {
        const values = new Float64Array(new BigUint64Array(list.map(([, bits]) => bits)).buffer);
        const times: number[] = [];
        const starts: number[] = [];
        const appender = new Xor2Appender();
        let t = first;
        for (const [i, [step, , startT]] of list.entries()) {
          t += step;
          times.push(t);
          starts.push(startT === 'same' ? (starts.at(-1) ?? 0) : startT === 'none' ? 0 : t - startT);
          appender.append(t, values[i], starts[i]);
        }
        const chunk = appender.bytes();
        const decoded = decodeXor2(chunk, 0, chunk.length);
        expect([...decoded.timestamps]).toEqual(times);
        expect(bitsOf(decoded.values)).toEqual(bitsOf(values));
        expect([...(decoded.startTimes ?? starts.map(() => 0))]).toEqual(starts);
        const classic = classicChunk({ encoding: ChunkEncoding.xor2, data: chunk });
        expect(classic.encoding).toBe(ChunkEncoding.xor);
        expect(bitsOf(decodeXor(classic.data, 0, classic.data.length).values)).toEqual(bitsOf(values));
      },
    ),
    { numRuns: 200 },
  );
});

test('mutated chunks decode or fail as corrupt', () => {
  const random = new SeededRandom(7);
  const chunks = DERIVED.map(({ chunk }) => chunk);
  let decoded = 0;
  for (let round = 0; round < 5_000; round++) {
    const good = chunks[Math.floor(random.next() * chunks.length)];
    const bytes = good.slice(0, random.next() < 0.7 ? good.length : Math.floor(random.next() * good.length));
    for (let k = 0; k < 1 + 3 * random.next(); k++)
      bytes[Math.floor(random.next() * bytes.length)] ^= 1 << Math.floor(random.next() * 8);
    try {
      decodeChunk(ChunkEncoding.xor2, bytes, 0, bytes.length);
      decoded++;
    } catch (error) {
      expect(error).toBeInstanceOf(VeronaError);
      expect((error as VeronaError).code).toBe('corrupt');
    }
  }
  expect(decoded).toBeGreaterThan(50);
});

function bitsOf(values: Float64Array): bigint[] {
  return [...new BigUint64Array(values.buffer, values.byteOffset, values.length)];
}
