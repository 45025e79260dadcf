import fc from 'fast-check';
import { expect, test } from 'vitest';
import { STALE_NAN } from '../../model/sample.ts';
import { BestCells } from './best-cells.ts';

const cell = fc.option(
  fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(Number.NaN, Infinity, -Infinity)),
);
const STEPS = 3;

test('the best cells have the values of a sort, each step by itself', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(cell, { minLength: STEPS, maxLength: STEPS }), { maxLength: 40 }),
      fc.tuple(fc.nat(20), fc.nat(6), fc.nat(6)),
      fc.boolean(),
      (rows, ks, largest) => {
        const best = new BestCells(Int32Array.from(ks), largest);
        for (const [row, cells] of rows.entries()) {
          const values = Float64Array.from(cells, (value) => value ?? 7);
          best.offer(
            row,
            values,
            Uint8Array.from(cells, (value) => Number(value !== null)),
            0,
          );
        }
        for (let step = 0; step < STEPS; step++) {
          const there = rows.map((cells) => cells[step]).filter((value) => value !== null);
          const numbers = there
            .filter((value) => !Number.isNaN(value))
            .sort((a, b) => (largest ? b - a || 0 : a - b || 0));
          const wanted = [...numbers, ...there.filter(Number.isNaN)].slice(0, ks[step]);
          const kept = best.bestFirst(step);
          expect(kept.map(({ value }) => value)).toEqual(wanted);
          for (const { row, value } of kept) expect(rows[row][step]).toBe(value);
          const visited: number[] = [];
          best.visit((row, at) => {
            if (at === step) visited.push(row);
          });
          expect(visited.sort()).toEqual(kept.map(({ row }) => row).sort());
        }
      },
    ),
  );
});

test('what others have admitted in parts gives the same rows as everything, equal values included', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(cell, { minLength: STEPS, maxLength: STEPS }), { maxLength: 60 }),
      fc.tuple(fc.nat(8), fc.nat(3), fc.nat(3)),
      fc.boolean(),
      fc.array(fc.nat(2), { minLength: 60, maxLength: 60 }),
      (rows, ks, largest, partOf) => {
        const k = Int32Array.from(ks);
        const [whole, chosen, ...parts] = Array.from({ length: 5 }, () => new BestCells(k, largest));
        for (const [row, cells] of rows.entries()) {
          const values = Float64Array.from(cells, (value) => value ?? STALE_NAN);
          whole.offer(
            row,
            values,
            Uint8Array.from(cells, (value) => Number(value !== null)),
            0,
          );
          const taken = new Uint8Array(STEPS);
          if (parts[partOf[row]].admit(values, taken)) chosen.offer(row, values, taken, 0);
        }
        for (let step = 0; step < STEPS; step++)
          expect(chosen.bestFirst(step)).toEqual(whole.bestFirst(step));
      },
    ),
  );
});
