import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeLabels, encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import { BatchBuilder } from '../storage/batch-builder.ts';
import { emptyQuerier } from '../storage/empty-querier.ts';
import { mergeQueriers } from '../storage/merge.ts';
import type { Querier } from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { unitedSeries } from './series-union.ts';

const CALM = { signal: new AbortController().signal };
const REQUEST = { matchers: [], mint: 0, maxt: 1, sorted: true, hints: { labelsOnly: true } };

/** A source whose series are those numbers, a few per batch. */
function sourceOf(numbers: readonly number[], onBatch: () => void = () => {}): Querier {
  const all = [...new Set(numbers)].sort((a, b) => a - b);
  return {
    ...emptyQuerier([]),
    async *select() {
      for (let i = 0; i < all.length; i += 3) {
        onBatch();
        const builder = new BatchBuilder();
        for (const number of all.slice(i, i + 3)) builder.addSeries(labelBytes(number));
        yield builder.take();
      }
    },
  };
}

function labelBytes(number: number): Uint8Array {
  return encodeLabels(
    Labels.from({ number: String(number).padStart(6, '0'), other: 'x'.repeat(number % 40) }),
  );
}

async function numbersOf(batches: AsyncIterable<SeriesBatch>): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { seriesCount, labelBytes, labelOffsets } of batches)
    for (let i = 0; i < seriesCount; i++)
      numbers.push(Number(decodeLabels(labelBytes, labelOffsets[i], labelOffsets[i + 1]).get('number')));
  return numbers;
}

test('series of many sources without samples are those of their merge, also where not all may be held', async () => {
  const numbers = fc.array(fc.nat(5000), { maxLength: 600, size: 'max' });
  await fc.assert(
    fc.asyncProperty(fc.array(numbers, { maxLength: 12 }), fc.nat(400_000), async (lists, heldBytesMax) => {
      const sources = lists.map((list) => sourceOf(list));
      const united = await numbersOf(unitedSeries(sources, 4, CALM, REQUEST, heldBytesMax));
      expect(united).toEqual(await numbersOf(mergeQueriers(sources).select(CALM, REQUEST)));
    }),
    { numRuns: 40 },
  );
});

test('equal series of any number of sources are held once', async () => {
  const list = Array.from({ length: 3000 }, (_, i) => i);
  const united = unitedSeries(
    Array.from({ length: 50 }, () => sourceOf(list)),
    8,
    CALM,
    REQUEST,
    400_000,
  );
  expect(await numbersOf(united)).toEqual(list);
});

test('a source that fails ends the others, and no more of them are asked', async () => {
  let asked = 0;
  const broken: Querier = {
    ...emptyQuerier([]),
    // biome-ignore lint/correctness/useYield: it fails first
    async *select() {
      throw new Error('gone');
    },
  };
  const sources = [broken, ...Array.from({ length: 1000 }, () => sourceOf([1, 2, 3], () => asked++))];
  await expect(numbersOf(unitedSeries(sources, 2, CALM, REQUEST))).rejects.toThrow('gone');
  expect(asked).toBeLessThan(100);
});
