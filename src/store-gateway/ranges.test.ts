import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CALM } from '../objstore/acceptance.ts';
import { Gate } from '../objstore/gate.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { RequestBudget } from './limits.ts';
import { coalesce, FetchedRanges } from './ranges.ts';

test('near ranges are read together, far ones apart', () => {
  expect(
    coalesce(
      [
        { start: 50, end: 60 },
        { start: 0, end: 10 },
        { start: 12, end: 20 },
      ],
      5,
    ),
  ).toEqual([
    { start: 0, end: 20 },
    { start: 50, end: 60 },
  ]);
  expect(
    coalesce(
      [
        { start: 0, end: 30 },
        { start: 5, end: 10 },
      ],
      0,
    ),
  ).toEqual([{ start: 0, end: 30 }]);
  expect(coalesce([])).toEqual([]);
});

test('every wanted byte is in a coalesced range', () => {
  const range = fc.tuple(fc.nat(60_000_000), fc.integer({ min: 1, max: 200_000 }));
  fc.assert(
    fc.property(fc.array(range, { maxLength: 50 }), (pairs) => {
      const ranges = pairs.map(([start, length]) => ({ start, end: start + length }));
      const joined = coalesce(ranges);
      for (const { start, end } of ranges) {
        let at = start;
        for (const part of joined) if (part.start <= at && part.end > at) at = part.end;
        expect(at).toBeGreaterThanOrEqual(end);
      }
      for (const [i, part] of joined.entries())
        if (i > 0) expect(part.start).toBeGreaterThan(joined[i - 1].start);
    }),
  );
});

/** Entries `size 4 │ filler`, of the given sizes, one after the other with gaps. */
function layOut(entries: readonly (readonly [number, number])[]): { data: Uint8Array; starts: number[] } {
  const starts: number[] = [];
  let at = 0;
  for (const [gap, size] of entries) {
    starts.push(at + gap);
    at += gap + size;
  }
  const data = new Uint8Array(at);
  for (const [i, start] of starts.entries()) {
    data.fill(i + 1, start, start + entries[i][1]);
    new DataView(data.buffer).setUint32(start, entries[i][1]);
  }
  return { data, starts };
}

test('entries are whole however wrong the guess of their length was', async () => {
  const entry = fc.tuple(fc.constantFrom(0, 7, 200_000), fc.integer({ min: 4, max: 5000 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 4, max: 3000 }),
      async (entries, guess) => {
        const { data, starts } = layOut(entries);
        const bucket = new MemoryBucket(new SystemClock());
        await bucket.upload(CALM, 'o', data);
        const budget = new RequestBudget({ seriesMax: 0, chunksMax: 0, bytesMax: 0 });
        const source = { ctx: CALM, bucket, gate: new Gate(4), budget };
        const sizeOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
        const guesses = starts.map((start) => ({ start, end: start + guess }));
        const fetched = await FetchedRanges.entries(source, 'o', guesses, sizeOf);
        for (const [i, start] of starts.entries()) {
          const got = fetched.from(start).subarray(0, entries[i][1]);
          expect(Buffer.compare(got, data.subarray(start, start + entries[i][1]))).toBe(0);
        }
      },
    ),
    { numRuns: 60 },
  );
});
