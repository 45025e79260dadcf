import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkKernel } from '../../kernel/chunk-kernel.ts';
import { aggregateRaw } from './float-windows.ts';
import { FIVE_MINUTES_MS } from './window.ts';

const kernel = new ChunkKernel();
const columns = kernel.columns();

const step = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom(15_000, 15_003) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 90_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 ** 36 }) },
);
const value = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 1000 }) },
  { weight: 3, arbitrary: fc.double({ noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(-0, 0, 5e-324, -1.7e308, 1.7e308) },
);

test('the kernel aggregates samples into the chunk of the plain way, to the byte', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
      fc.array(fc.tuple(step, value), { minLength: 1, maxLength: 400 }),
      fc.constantFrom(1, 60_000, FIVE_MINUTES_MS),
      fc.nat(),
      (start, list, resolutionMs, x) => {
        let t = start;
        const timestamps = Float64Array.from(list, ([gap]) => (t += gap));
        const values = Float64Array.from(list, ([, v]) => v);
        kernel.clear(columns);
        kernel.push(columns, timestamps, values);
        const from = x % list.length;
        const plain = aggregateRaw(timestamps, values, from, list.length, resolutionMs);
        const { mint, data } = kernel.aggregate(columns, from, list.length, resolutionMs);
        expect(mint).toBe(plain.mint);
        expect(plain.maxt).toBe(timestamps[list.length - 1]);
        expect(Buffer.from(data).toString('hex')).toBe(Buffer.from(plain.data).toString('hex'));
      },
    ),
    { numRuns: 500 },
  );
});
