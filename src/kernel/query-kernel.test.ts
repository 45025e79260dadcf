import { describe, expect, test } from 'vitest';
import { formatFloat, formatSeconds } from '../encoding/number-text.ts';
import { isStaleAt, STALE_NAN } from '../model/sample.ts';
import { SeededRandom } from '../platform/random.ts';
import { GroupKind } from './group-rows.ts';
import { plainGroup } from './plain-groups.ts';
import { isPresent, plainInstant, plainWindows } from './plain-windows.ts';
import { QueryKernel, type StepGrid, WindowFunction } from './query-kernel.ts';

const functions = Object.keys(WindowFunction) as WindowFunction[];
const kernel = new QueryKernel();
const decoder = new TextDecoder();

/** Series as they occur, and series made to break arithmetic. */
const shapes: Readonly<Record<string, (random: SeededRandom, i: number) => number>> = {
  counter: (random, i) => i * 3 + Math.floor(random.next() * 3),
  'counter with resets': (random, i) => (i % 23) * 5 + Math.floor(random.next() * 3),
  'gauge with two decimals': (random) => Math.round(random.next() * 10_000) / 100,
  'gauge around zero': (random) => random.next() - 0.5,
  constant: () => 42.5,
  zeros: (random) => (random.next() < 0.5 ? 0 : -0),
  'magnitudes far apart': (random) => (random.next() - 0.5) * 10 ** Math.floor(random.next() * 40 - 20),
  overflowing: (random) => (random.next() < 0.8 ? 1.7e308 : -1.7e308),
  'with NaN and infinities': (random) =>
    [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1, 2, 5e-324][
      Math.floor(random.next() * 8)
    ],
  'mostly NaN': (random) => (random.next() < 0.9 ? Number.NaN : 7),
};

describe.each(Object.entries(shapes))('a %s series', (_, valueAt) => {
  test.each(functions)('has the %s of the plain twin, bit for bit', (func) => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = new SeededRandom(seed);
      const { timestamps, values } = series(random, 400, valueAt);
      for (const grid of grids(timestamps[0])) {
        for (const rangeMs of [60_000, 300_000, 1_800_000]) {
          kernel.setSamples(timestamps, values);
          const row = kernel.windows(func, grid, rangeMs).slice();
          expectSame(row, plainWindows(func, timestamps, values, grid, rangeMs));
        }
      }
    }
  });
});

test('the instant selector looks back, leaves out stale series and keeps NaN', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = new SeededRandom(seed);
    const { timestamps, values } = series(random, 300, (random) => random.next());
    for (let i = 0; i < values.length; i++) {
      const dice = random.next();
      if (dice < 0.1) values[i] = STALE_NAN;
      else if (dice < 0.2) values[i] = Number.NaN;
    }
    for (const grid of grids(timestamps[0])) {
      kernel.setSamples(timestamps, values);
      expectSame(kernel.instant(grid, 300_000).slice(), plainInstant(timestamps, values, grid, 300_000));
      const times = kernel.instantTimes(grid, 300_000).slice();
      const plain = plainInstant(timestamps, values, grid, 300_000);
      for (let step = 0; step < grid.steps; step++)
        expect(isPresent(times, step)).toBe(isPresent(plain, step));
    }
  }
});

test('a window has no sample at its left edge and one at its right', () => {
  kernel.setSamples(Float64Array.of(1_000, 2_000, 3_000), Float64Array.of(1, 2, 3));
  expect([...kernel.windows('count_over_time', { start: 3_000, step: 1, steps: 1 }, 2_000)]).toEqual([2]);
});

test('no samples and no steps are fine', () => {
  kernel.setSamples(new Float64Array(), new Float64Array());
  for (const func of functions) {
    const row = kernel.windows(func, { start: 0, step: 1_000, steps: 3 }, 10_000);
    for (let step = 0; step < 3; step++) expect(isPresent(row, step)).toBe(false);
    expect(kernel.windows(func, { start: 0, step: 1_000, steps: 0 }, 10_000)).toHaveLength(0);
  }
});

describe.each(Object.keys(GroupKind) as GroupKind[])('groups by %s', (kind) => {
  test.each(Object.entries(shapes))(
    'add up rows of a %s series as the plain twin, bit for bit',
    (_, valueAt) => {
      const random = new SeededRandom(3);
      const rows = Array.from({ length: 40 }, () => {
        const row = new Float64Array(17);
        for (let step = 0; step < 17; step++)
          row[step] = random.next() < 0.2 ? STALE_NAN : valueAt(random, step);
        return row;
      });
      const groups = kernel.groups(kind, 17);
      for (const [i, row] of rows.entries()) {
        kernel.setRow(row);
        groups.add(i % 3);
      }
      expect(groups.groupCount).toBe(3);
      for (let group = 0; group < 3; group++) {
        const own = rows.filter((_, i) => i % 3 === group);
        expectSame(groups.finish(group).slice(), plainGroup(kind, own, 17));
      }
    },
  );
});

test('values are printed as the plain twin prints them', () => {
  const random = new SeededRandom(5);
  const bits = new BigUint64Array(1);
  const value = new Float64Array(bits.buffer);
  const special = [
    0,
    -0,
    1,
    -1,
    0.1,
    1e-6,
    9.999e-7,
    1e21,
    9.99e20,
    5e-324,
    Number.MAX_VALUE,
    Number.NaN,
    1 / 0,
    -1 / 0,
  ];
  for (let i = 0; i < 60_000; i++) {
    if (i < special.length) value[0] = special[i];
    else if (i % 4 === 0) value[0] = Math.round(random.next() * 1e6) / 10 ** (i % 7);
    else if (i % 4 === 1) value[0] = 2 ** Math.floor(random.next() * 2000 - 1040);
    else if (i % 4 === 2) value[0] = 10 ** Math.floor(random.next() * 600 - 310);
    else
      bits[0] =
        (BigInt(Math.floor(random.next() * 2 ** 32)) << 32n) | BigInt(Math.floor(random.next() * 2 ** 32));
    expect(decoder.decode(kernel.writeValue(value[0]))).toBe(formatFloat(value[0]));
  }
});

test.each([
  ['whole seconds', 1_435_781_430_000, 1_000],
  ['milliseconds', 1_435_781_430_781, 7],
  ['times before 1970', -3_500, 1_500],
])('rows with %s are printed as JSON', (_, start, step) => {
  const row = Float64Array.of(1, STALE_NAN, -0, Number.NaN, 1e-7, 0.25);
  kernel.setRow(row);
  const text = decoder.decode(kernel.writeMatrixRow({ start, step, steps: 6 }));
  const parts = [0, 2, 3, 4, 5].map((i) => `[${formatSeconds(start + i * step)},"${formatFloat(row[i])}"]`);
  expect(text).toBe(`[${parts.join(',')}]`);
});

test('a row without values is an empty list', () => {
  kernel.setRow(Float64Array.of(STALE_NAN, STALE_NAN));
  expect(decoder.decode(kernel.writeMatrixRow({ start: 0, step: 1, steps: 2 }))).toBe('[]');
});

function series(
  random: SeededRandom,
  count: number,
  valueAt: (random: SeededRandom, i: number) => number,
): { timestamps: Float64Array; values: Float64Array } {
  const timestamps = new Float64Array(count);
  const values = new Float64Array(count);
  let t = 1_700_000_000_000 + Math.floor(random.next() * 15_000);
  for (let i = 0; i < count; i++) {
    // Steady, jittery, and now and then with a gap.
    t +=
      random.next() < 0.02 ? 600_000 : random.next() < 0.5 ? 15_000 : 14_990 + Math.floor(random.next() * 20);
    timestamps[i] = t;
    values[i] = valueAt(random, i);
  }
  return { timestamps, values };
}

function grids(first: number): StepGrid[] {
  return [
    { start: first - 30_000, step: 60_000, steps: 130 },
    { start: first, step: 15_000, steps: 60 },
    { start: first + 3_600_000, step: 0, steps: 1 },
  ];
}

/** Bits count, but for those of a NaN that is a value: which one arithmetic gives is not defined. */
function expectSame(actual: Float64Array, expected: Float64Array): void {
  const actualWords = new Uint32Array(actual.buffer, actual.byteOffset, 2 * actual.length);
  const expectedWords = new Uint32Array(expected.buffer, expected.byteOffset, 2 * expected.length);
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    const same =
      Object.is(actual[i], expected[i]) && isStaleAt(actualWords, i) === isStaleAt(expectedWords, i);
    if (!same) expect.fail(`step ${i}: ${actual[i]}, the twin says ${expected[i]}`);
  }
}
