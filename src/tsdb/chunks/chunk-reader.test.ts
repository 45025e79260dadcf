import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import { BLOCK_CHUNKS_MAGIC, chunkRef, encodeBlockChunk, encodeFileHeader } from './chunk-format.ts';
import { ChunkReader } from './chunk-reader.ts';
import { CACHE_PAGE_BYTES, PageCache } from './page-cache.ts';

/** A chunk file with chunks of these lengths; where each begins. */
async function fileOf(disk: MemoryDisk, lengths: readonly number[]): Promise<number[]> {
  const out = new ByteWriter();
  out.bytes(encodeFileHeader(BLOCK_CHUNKS_MAGIC));
  const offsets = lengths.map((length, i) => {
    const offset = out.length;
    encodeBlockChunk(out, { encoding: 1, data: dataOf(i, length) });
    return offset;
  });
  await disk.makeDir('chunks');
  await disk.writeFileAtomic('chunks/000001', out.copy());
  return offsets;
}

function dataOf(i: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, k) => i + k);
}

test('chunks of any length are read again and again as they were written', async () => {
  const length = fc.oneof(
    fc.nat(1100),
    fc.integer({ min: CACHE_PAGE_BYTES - 50, max: CACHE_PAGE_BYTES + 50 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(length, { minLength: 1, maxLength: 60 }),
      fc.array(fc.nat(59), { maxLength: 120 }),
      async (lengths, order) => {
        const disk = new MemoryDisk();
        const offsets = await fileOf(disk, lengths);
        const reader = new ChunkReader(disk, 'chunks', 'block', new PageCache(3 * CACHE_PAGE_BYTES));
        for (const i of order.map((at) => at % lengths.length)) {
          const { encoding, data } = reader.read(chunkRef(0, offsets[i]));
          expect(encoding).toBe(1);
          expect(Buffer.compare(data, dataOf(i, lengths[i]))).toBe(0);
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('a chunk is checked when it is first read, and again when its page was loaded again', async () => {
  const disk = new MemoryDisk();
  const [first, second, long] = await fileOf(disk, [500, 500, 60_000]);
  const reader = new ChunkReader(disk, 'chunks', 'block', new PageCache(2 * CACHE_PAGE_BYTES));
  const read = (offset: number) => reader.read(chunkRef(0, offset)).data.length;
  expect(read(first)).toBe(500);
  const file = await disk.open('chunks/000001', 'write');
  await file.writeAt([Uint8Array.of(255)], first + 100);
  await file.writeAt([Uint8Array.of(255)], second + 100);
  // In memory it is as it was.
  expect(read(first)).toBe(500);
  expect(read(second)).toBe(500);
  // The long one takes the place of the page.
  expect(read(long)).toBe(60_000);
  expect(() => read(first)).toThrow(`bad chunk checksum at ${first}`);
  expect(() => read(first)).toThrow(`bad chunk checksum at ${first}`);
  expect(() => read(second)).toThrow(`bad chunk checksum at ${second}`);
});
