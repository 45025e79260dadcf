import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quantileOf } from './quantile.ts';
import { SortedFloats } from './sorted-floats.ts';

const float = fc.oneof(
  fc.double(),
  fc.constantFrom(Number.NaN, 0, -0, 1, 2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
const moves = fc.array(fc.tuple(fc.nat(12), fc.nat(12)), { maxLength: 30 });

test('a moving window has the quantiles of its values sorted afresh', () => {
  const property = (values: number[], steps: [number, number][], q: number) => {
    const floats = Float64Array.from(values);
    const sorted = new SortedFloats();
    let [from, to] = [0, 0];
    for (const [grow, shrink] of steps) {
      to = Math.min(floats.length, to + grow * 8);
      from = Math.min(to, from + shrink * 8);
      sorted.moveTo(floats, from, to);
      expect(sorted.quantile(q) + 0).toBe(quantileOf(q, floats.slice(from, to)) + 0);
    }
  };
  const values = fc.array(float, { maxLength: 300, size: 'max' });
  fc.assert(fc.property(values, moves, fc.double({ min: -0.1, max: 1.1 }), property), { numRuns: 500 });
});
