import fc from 'fast-check';
import { expect, test } from 'vitest';
import { QueryKernel, WindowFunction } from '../../kernel/query-kernel.ts';
import { isStaleAt } from '../../model/sample.ts';
import type { Window } from './window.ts';
import { windowFunction } from './window-functions.ts';

const STEPS = 12;
const GRID = { start: 60_000, step: 30_000, steps: STEPS };
const RANGE = 120_000;

const samples = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 60_000 }),
      v: fc.oneof(fc.nat(100), fc.double(), fc.constantFrom(0, -0, Infinity, -Infinity)),
    }),
    { maxLength: 40 },
  )
  .map((list) => {
    let t = 0;
    return {
      times: Float64Array.from(list, ({ gap }) => (t += gap)),
      values: Float64Array.from(list, ({ v }) => v),
    };
  });

/** What the function in TypeScript gives at each step; undefined where there is no result. */
function plainRow(name: string, times: Float64Array, values: Float64Array): (number | undefined)[] {
  const nothing = () => {};
  const remarks = {
    warn: nothing,
    info: nothing,
    warnMetric: nothing,
    countMetric: nothing,
    warnArgument: nothing,
    counterName: nothing,
    histogramsIgnored: nothing,
  };
  return Array.from({ length: STEPS }, (_, i) => {
    const t = GRID.start + i * GRID.step;
    const f0 = times.findIndex((time) => time > t - RANGE);
    const f1 = times.findLastIndex((time) => time <= t) + 1;
    if (f0 === -1 || f0 >= f1) return undefined;
    const window: Window = {
      floatTimes: times,
      floats: values,
      floatCount: times.length,
      histogramTimes: [],
      histograms: [],
      ...{
        f0,
        f1,
        h0: 0,
        h1: 0,
        start: t - RANGE,
        end: t,
        t,
        args: [],
        value: 0,
        sorted: undefined,
        histogram: undefined,
        remarks,
      },
    };
    return windowFunction(name, 'plain')(window) === 1 ? window.value : undefined;
  });
}

test.each(Object.keys(WindowFunction) as WindowFunction[])(
  '%s is the same in the kernel and in TypeScript',
  (name) => {
    const kernel = new QueryKernel();
    fc.assert(
      fc.property(samples, ({ times, values }) => {
        kernel.setSamples(times, values);
        const row = kernel.windows(name, GRID, RANGE).slice();
        const words = new Uint32Array(row.buffer);
        const found = Array.from(row, (value, i) => (isStaleAt(words, i) ? undefined : value));
        const plain = plainRow(name, times, values);
        for (let i = 0; i < STEPS; i++) {
          if (plain[i] === undefined || found[i] === undefined) expect(found[i], `step ${i}`).toBe(plain[i]);
          else if (Number.isFinite(plain[i]) && name.startsWith('std'))
            expect(Math.abs(found[i]! - plain[i]!)).toBeLessThanOrEqual(
              1e-9 * Math.max(1, Math.abs(plain[i]!)),
            );
          else expect(found[i], `step ${i}`).toEqual(plain[i]);
        }
      }),
      { numRuns: 60 },
    );
  },
);
