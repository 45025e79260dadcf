import { expect, test } from 'vitest';
import { newGathered, packGathered, unpackGathered } from './gathered-columns.ts';
import type { GatheredSeries } from './head-memory.ts';

const SIZES = { series: 2, chunks: 3, labelBytes: 5, dataBytes: 7 };

function filled(into: GatheredSeries): GatheredSeries {
  let next = 1;
  for (const column of Object.values(into))
    if (ArrayBuffer.isView(column))
      for (let i = 0; i < into.seriesCount; i++) (column as Uint8Array)[i] = next++;
  return into;
}

test('columns in one piece go as they are, and come back the same', () => {
  const gathered = filled(newGathered(SIZES));
  const packed = packGathered(gathered);
  expect(packed.memory).toBe(gathered.chunkMint.buffer);
  expect(unpackGathered(structuredClone(packed))).toEqual(gathered);
});

test('columns of several pieces are copied, with one that replaced another', () => {
  const gathered = filled(newGathered(SIZES));
  gathered.chunkData = Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2);
  const packed = packGathered(gathered);
  expect(packed.memory).not.toBe(gathered.chunkMint.buffer);
  expect(unpackGathered(packed)).toEqual(gathered);
});
