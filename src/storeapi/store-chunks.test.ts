import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeChunk } from '../chunkenc/chunk.ts';
import { ChunkEncoding } from '../chunkenc/encoding.ts';
import { Xor2Appender } from '../chunkenc/xor2.ts';
import type { StoreChunk } from '../proto/store-series.ts';
import { BatchBuilder } from '../storage/batch-builder.ts';
import { aggregatePayload, storeChunk } from './store-chunks.ts';

function batchOf(encoding: number, payload: Uint8Array) {
  const builder = new BatchBuilder();
  builder.addSeries(new Uint8Array());
  builder.addChunk(0, 1000, encoding, payload);
  return builder.take();
}

test('chunks with start timestamps are sent as what every peer can read', () => {
  const appender = new Xor2Appender();
  for (let i = 0; i < 200; i++) appender.append(i * 1000, i / 3, 1);
  const { raw } = storeChunk(batchOf(ChunkEncoding.xor2, appender.bytes().slice()), 0);
  expect(raw?.type).toBe(0);
  const decoded = decodeChunk(ChunkEncoding.xor, raw!.data, 0, raw!.data.length);
  const values = decoded.kind === 'float' ? [...decoded.values] : [];
  expect(values).toEqual(Array.from({ length: 200 }, (_, i) => i / 3));
});

test('a downsampled chunk is sent as its parts, and comes back as it was', () => {
  const part: fc.Arbitrary<StoreChunk | undefined> = fc.option(
    fc.record({
      type: fc.integer({ min: 0, max: 2 }),
      data: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    }),
    { nil: undefined },
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 5, maxLength: 5 }), (parts) => {
      const payload = aggregatePayload(parts);
      const sent = storeChunk(batchOf(ChunkEncoding.aggregate, payload), 0);
      expect(sent.aggregates).toEqual(parts);
      expect(aggregatePayload(sent.aggregates)).toEqual(payload);
    }),
  );
});

test('of a downsampled chunk only the aggregates that were asked for are sent', () => {
  const part = (byte: number) => ({ type: 0, data: Uint8Array.of(byte) });
  const parts = [part(1), part(2), part(3), undefined, part(5)];
  const batch = batchOf(ChunkEncoding.aggregate, aggregatePayload(parts));
  const none = undefined;
  expect(storeChunk(batch, 0, [1, 2]).aggregates).toEqual([part(1), part(2), none, none, none]);
  expect(storeChunk(batch, 0, [5]).aggregates).toEqual([none, none, none, none, part(5)]);
  expect(storeChunk(batch, 0, [0]).aggregates).toEqual(parts);
});

test('a mutated downsampled chunk is sent or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (payload) => {
      try {
        storeChunk(batchOf(ChunkEncoding.aggregate, payload), 0);
      } catch (error) {
        expect(['bad_data', 'corrupt']).toContain((error as { code?: string }).code);
      }
    }),
  );
});
