import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import { readChunkedStream } from './chunked-read.ts';
import { encodeFrame } from './remote-read.ts';

function frames(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) =>
    encodeFrame({
      series: [
        {
          labels: ['__name__', 'up', 'instance', `i${i}`],
          chunks: [{ mint: i, maxt: i + 9, encoding: 1, data: new Uint8Array(i * 50).fill(i) }],
        },
      ],
      queryIndex: 0,
    }),
  );
}

async function* inPieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length];
    yield bytes.slice(at, at + size);
    at += size;
  }
}

async function read(bytes: Uint8Array, sizes: readonly number[]) {
  const found = [];
  for await (const list of readChunkedStream(inPieces(bytes, sizes))) found.push(...list);
  return found;
}

test('frames are read whole, in whatever pieces they come', async () => {
  const bytes = Buffer.concat(frames(20));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 6 }),
      async (sizes) => {
        const found = await read(bytes, sizes);
        expect(found).toHaveLength(20);
        for (const [i, { labelBytes, chunks }] of found.entries()) {
          expect([...labelBytes]).toEqual([
            ...encodeLabels(Labels.from({ __name__: 'up', instance: `i${i}` })),
          ]);
          expect(chunks.map(({ mint, data }) => [mint, data.length, data[0]])).toEqual([
            [i, i * 50, i === 0 ? undefined : i],
          ]);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('what is cut off, has a bad checksum or an endless size is corrupt', async () => {
  const bytes = Buffer.concat(frames(3));
  await expect(read(bytes.subarray(0, -1), [7])).rejects.toThrow('frame 2 is cut off');
  const bent = Uint8Array.from(bytes);
  bent[bent.length - 1] ^= 1;
  await expect(read(bent, [64])).rejects.toThrow('frame 2 has a bad checksum');
  await expect(read(new Uint8Array(40).fill(0x80), [40])).rejects.toThrow('frame 0 has no size');
  await expect(read(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 1]), [2])).rejects.toThrow('more than');
});
