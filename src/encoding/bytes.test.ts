import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { BitWriter } from './bit-writer.ts';
import { crc32c } from './crc32c.ts';
import { WireError, WireReader, WireWriter } from './protobuf.ts';
import { snappyCompress, snappyDecompress } from './snappy.ts';
import {
  type ByteCursor,
  putBigUvarint,
  putVarint,
  readBigUvarint,
  readUvarint,
  readVarint,
} from './varint.ts';

const cursor = (bytes: Uint8Array): ByteCursor => ({ bytes, at: 0, end: bytes.length });

test('CRC-32C equals the check values of RFC 3720, in one piece or in two', () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
      const half = Math.min(cut, bytes.length);
      expect(crc32c(bytes, half, bytes.length, crc32c(bytes, 0, half))).toBe(crc32c(bytes));
    }),
  );
});

test('CRC-32C of a piece of an array is that of its copy, whatever array was looked at before', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(40), fc.nat(300), (whole, from, length) => {
      const piece = whole.subarray(Math.min(from, whole.length), Math.min(from + length, whole.length));
      let bit = ~0;
      for (const byte of piece) {
        bit ^= byte;
        for (let k = 0; k < 8; k++) bit = (bit >>> 1) ^ (bit & 1 ? 0x82f63b78 : 0);
      }
      expect(crc32c(piece)).toBe(~bit >>> 0);
      expect(crc32c(whole, piece.byteOffset, piece.byteOffset + piece.length)).toBe(~bit >>> 0);
      expect(crc32c(piece.slice())).toBe(~bit >>> 0);
    }),
    { numRuns: 500 },
  );
});

test('varints come back as they were written', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.maxSafeInteger(), (unsigned, signed) => {
      const bytes = new Uint8Array(20);
      putBigUvarint(bytes, 0, unsigned);
      expect(readBigUvarint(cursor(bytes))).toBe(unsigned);
      putVarint(bytes, 0, signed);
      expect(readVarint(cursor(bytes)) + 0).toBe(signed + 0);
    }),
  );
});

test('a varint that is cut off, too long or too large is refused with its place', () => {
  expect(() => readUvarint(cursor(Uint8Array.of(0x80)))).toThrow('varint cut off at 0');
  expect(() => readUvarint(cursor(new Uint8Array(11).fill(0x80)))).toThrow(
    'varint longer than 10 bytes at 0',
  );
  expect(() => readUvarint(cursor(new Uint8Array(10).fill(0xff).fill(1, 9)))).toThrow(
    'varint too large at 0',
  );
});

test('bits are written from the top of each byte', () => {
  const out = new BitWriter();
  out.write(0b101n, 3);
  out.write(-1n, 6);
  expect([...out.bytes()]).toEqual([0b10111111, 0b10000000]);
});

const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 40 })), {
    maxLength: 40,
  })
  .map((parts) =>
    Uint8Array.from(
      parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => [...bytes]).flat()),
    ),
  );

test('snappy decodes what it encodes', () => {
  fc.assert(
    fc.property(repetitive, (bytes) => {
      const compressed = snappyCompress(bytes);
      expect(snappyDecompress(compressed, bytes.length)).toEqual(bytes);
    }),
  );
});

test('mutated snappy decodes to the announced size or fails with bad_data or too_large', () => {
  fc.assert(
    fc.property(repetitive, fc.array(fc.tuple(fc.nat(), fc.nat(255))), (bytes, changes) => {
      const compressed = snappyCompress(bytes);
      for (const [at, value] of changes) compressed[at % compressed.length] = value;
      expectDecodesOr(['bad_data', 'too_large'], () => {
        const size = readUvarint(cursor(compressed));
        expect(snappyDecompress(compressed, 1 << 20).length).toBe(size);
      });
    }),
  );
});

test('snappy allocates nothing for a length its input cannot hold', () => {
  expect(() => snappyDecompress(Uint8Array.of(0xff, 0xff, 0xff, 0x7f, 0), 2 ** 31)).toThrow(
    'snappy: length beyond what the input can hold at 0',
  );
  expect(() => snappyDecompress(Uint8Array.of(0xff, 0xff, 0x03, 0), 1000)).toThrow(
    'snappy: decodes to 65535 bytes, 1000 allowed',
  );
});

test('protobuf fields come back as they were written', () => {
  const writer = new WireWriter(1);
  writer.int(1, -5);
  writer.uint64(2, 2n ** 64n - 1n);
  writer.sint(3, -3);
  writer.double(4, -0);
  writer.string(5, 'žába');
  writer.message(6, (inner) => {
    inner.packedSints(1, [-1, 1]);
    inner.packedDoubles(2, [1.5, Number.NaN]);
    inner.packedUints(
      3,
      Array.from({ length: 200 }, (_, i) => i),
    );
  });
  writer.float(7, 0.5);
  writer.fixed64(8, 7n);
  const reader = new WireReader(writer.bytes());
  const next = () => {
    expect(reader.next()).toBe(true);
    return reader;
  };
  expect(next().int()).toBe(-5);
  expect(next().uint64()).toBe(2n ** 64n - 1n);
  expect(next().sint()).toBe(-3);
  expect(next().double()).toBe(-0);
  expect(next().string()).toBe('žába');
  const inner = next().message();
  const sints: number[] = [];
  const doubles: number[] = [];
  const uints: number[] = [];
  expect(inner.next()).toBe(true);
  inner.sints(sints);
  expect(inner.next()).toBe(true);
  inner.doubles(doubles);
  expect(inner.next()).toBe(true);
  inner.uints(uints);
  expect([sints, doubles, uints.length, uints[199]]).toEqual([[-1, 1], [1.5, Number.NaN], 200, 199]);
  expect(next().float()).toBe(0.5);
  expect(next().fixed64()).toBe(7n);
  expect(reader.next()).toBe(false);
});

test('a field of the wrong kind, cut off or without number is refused with the place of its tag', () => {
  const read = (...bytes: number[]) => {
    const reader = new WireReader(Uint8Array.from(bytes));
    while (reader.next()) reader.view();
  };
  expect(() => read(0x0a, 1, 65, 0x0a, 5, 1)).toThrow('protobuf: field cut off at 3');
  expect(() => read(0x08, 1)).toThrow('protobuf: unexpected wire type at 0');
  expect(() => read(0x0b)).toThrow('protobuf: unsupported wire type at 0');
  expect(() => read(0x02, 0)).toThrow('protobuf: bad field tag at 0');
  expect(() => read(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f)).toThrow('protobuf: field cut off at 0');
});

test('any bytes are walked to their end or refused with a place inside them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const reader = new WireReader(bytes);
      try {
        while (reader.next()) expect(reader.valueEnd).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        expect(error.offset).toBeLessThan(bytes.length);
      }
    }),
    { numRuns: 1000 },
  );
});

function expectDecodesOr(codes: readonly string[], decode: () => void): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof VeronaError)) throw error;
    expect(codes).toContain(error.code);
  }
}
