import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as plainCrc from '../encoding/crc32c.ts';
import * as plainSnappy from '../encoding/snappy.ts';
import { VeronaError } from '../model/errors.ts';
import { crc32c, snappyCompress, snappyDecompress } from './bytes-kernel.ts';

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 500 }),
  fc
    .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 200 })), {
      maxLength: 60,
    })
    .map(
      (parts) =>
        new Uint8Array(Buffer.concat(parts.flatMap(([part, times]) => Array<Uint8Array>(times).fill(part)))),
    ),
);

test('both decoders decode what either encoder made', () => {
  fc.assert(
    fc.property(bytes, (contents) => {
      for (const compress of [snappyCompress, plainSnappy.snappyCompress])
        for (const decompress of [snappyDecompress, plainSnappy.snappyDecompress])
          expect(Buffer.compare(decompress(compress(contents), contents.length), contents)).toBe(0);
    }),
  );
});

test('contents of several 64 KiB fragments come back', () => {
  const contents = Uint8Array.from({ length: 300_001 }, (_, i) => (i * i) >> 9);
  expect(Buffer.compare(snappyDecompress(snappyCompress(contents), 1 << 20), contents)).toBe(0);
  expect(snappyDecompress(snappyCompress(new Uint8Array()), 0)).toEqual(new Uint8Array());
});

test('a damaged block gives the same bytes or the same error as the plain decoder', () => {
  fc.assert(
    fc.property(
      bytes,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      fc.nat(600),
      (contents, changes, cut) => {
        const block = snappyCompress(contents);
        for (const [at, value] of changes) block[at % block.length] = value;
        const damaged = block.subarray(0, Math.max(1, block.length - cut));
        const answer = (decompress: typeof snappyDecompress) => {
          try {
            return Buffer.from(decompress(damaged, 100_000)).toString('hex');
          } catch (error) {
            if (!(error instanceof VeronaError)) throw error;
            return `${error.code} ${error.message}`;
          }
        };
        expect(answer(snappyDecompress)).toBe(
          answer(plainSnappy.snappyDecompress as typeof snappyDecompress),
        );
      },
    ),
    { numRuns: 2000 },
  );
});

test.each([
  [
    'a literal whose length wraps around 32 bits',
    [0xff, 0x01, 0xfc, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5],
    'element cut off at 2',
  ],
  ['a literal cut off in its length', [0x05, 0xfc, 0xff], 'element cut off at 1'],
  [
    'a copy from before the output',
    [0x05, 0x00, 65, 0x0f, 0xff, 0xff, 0xff, 0xff],
    'copy from outside the output at 3',
  ],
  ['a copy of offset 0', [0x05, 0x00, 65, 0x01, 0x00], 'copy from outside the output at 3'],
  ['a copy past the announced size', [0x05, 0x00, 65, 0xfe, 1, 0], 'output longer than announced at 3'],
  ['a size of 2³² and more', [0xff, 0xff, 0xff, 0xff, 0x7f, 0], 'no length at 0'],
  ['a size the input cannot hold', [0xff, 0xff, 0x3f, 0], 'length beyond what the input can hold at 0'],
  ['nothing at all', [], 'no length at 0'],
])('%s is refused', (_, block, message) => {
  for (const decompress of [snappyDecompress, plainSnappy.snappyDecompress])
    expect(() => decompress(Uint8Array.from(block), 2 ** 31)).toThrow(`snappy: ${message}`);
});

test('the checksum equals the plain one over any range', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(300),
      fc.nat(0xffffffff),
      (contents, from, seed) => {
        const start = Math.min(from, contents.length);
        expect(crc32c(contents, start, contents.length, seed)).toBe(
          plainCrc.crc32c(contents, start, contents.length, seed),
        );
      },
    ),
  );
  const long = new Uint8Array(2_500_000).fill(7);
  expect(crc32c(long)).toBe(plainCrc.crc32c(long));
});
