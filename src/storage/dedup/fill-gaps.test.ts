import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isStale, STALE_NAN } from '../../model/sample.ts';
import { fillGaps as fillingOf, MARGIN_MS, mergeSamples, type Samples, SPACING_MAX_MS } from './fill-gaps.ts';

/** A value of null is the staleness marker: arrays do not keep the bits of a NaN. */
function samples(pairs: readonly (readonly [number, number | null])[]): Samples {
  return {
    timestamps: Float64Array.from(pairs, ([t]) => t),
    values: Float64Array.from(pairs, ([, v]) => v ?? STALE_NAN),
  };
}

function pairs({ timestamps, values }: Samples): [number, number | string][] {
  return Array.from(timestamps, (t, i) => [t, isStale(values[i]) ? 'stale' : values[i]]);
}

/** Everything that counts, after a look at its parts. */
function fillGaps(replicas: readonly Samples[], counter: boolean): Samples {
  const { added, dropsMarkers, whole } = fillingOf(replicas, counter);
  if (!dropsMarkers) expect(pairs(mergeSamples(replicas[0], added))).toEqual(pairs(whole));
  return whole;
}

const every = (step: number, from: number, to: number, offset = 0): [number, number][] =>
  Array.from({ length: Math.floor((to - from) / step) }, (_, i) => {
    const t = from + offset + i * step;
    return [t, t];
  });

test('a healthy replica speaks alone', () => {
  const a = samples(every(15_000, 0, 3_600_000));
  const b = samples(every(15_000, 0, 3_600_000, 7_000));
  expect(fillGaps([a, b], false)).toEqual(a);
});

test('a gap is filled by the next replica, without a hole and without samples too close together', () => {
  const a = samples(every(15_000, 0, 3_600_000).filter(([t]) => t < 600_000 || t > 1_200_000));
  const b = samples(every(15_000, 0, 3_600_000, 7_000));
  const { timestamps } = fillGaps([a, b], false);
  for (let i = 1; i < timestamps.length; i++) {
    expect(timestamps[i] - timestamps[i - 1]).toBeGreaterThan(0.75 * 15_000 - 1);
    expect(timestamps[i] - timestamps[i - 1]).toBeLessThan(2 * 15_000);
  }
});

/** Copies of one series, each with gaps of its own. */
const copies = fc
  .record({
    step: fc.constantFrom(10_000, 15_000, 60_000),
    count: fc.integer({ min: 30, max: 200 }),
    gaps: fc.array(fc.array(fc.record({ from: fc.nat(200), length: fc.nat(60) }), { maxLength: 4 }), {
      minLength: 1,
      maxLength: 3,
    }),
  })
  .map(({ step, count, gaps }) => ({
    step,
    whole: Array.from({ length: count }, (_, i): [number, number] => [i * step, Math.floor(i * 1.7)]),
    replicas: gaps.map((own) =>
      Array.from({ length: count }, (_, i): [number, number] => [i * step, Math.floor(i * 1.7)]).filter(
        (_, i) => !own.some(({ from, length }) => i >= from && i < from + length),
      ),
    ),
  }));

test('copies with gaps give the series wherever one copy has data', () => {
  fc.assert(
    fc.property(copies, fc.boolean(), ({ whole, replicas }, counter) => {
      const expected = whole.filter(([t]) => replicas.some((own) => own.some(([other]) => other === t)));
      expect(pairs(fillGaps(replicas.map(samples), counter))).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

const TRUE_RATE = 0.01;

/** Replicas that observe one counter at their own times, with gaps, and maybe restarts of the counter. */
const observers = fc
  .record({
    step: fc.constantFrom(10_000, 15_000, 60_000),
    seed: fc.integer({ min: 1, max: 1_000_000 }),
    resets: fc.array(fc.nat(600_000), { maxLength: 3 }),
    replicas: fc.array(
      fc.record({
        offset: fc.nat(14_999),
        jitter: fc.nat(500),
        base: fc.constantFrom(0, 0, 0, 1000, -5),
        gaps: fc.array(fc.record({ from: fc.nat(600_000), length: fc.nat(150_000) }), { maxLength: 3 }),
      }),
      { minLength: 2, maxLength: 3 },
    ),
  })
  .map(({ step, seed, resets, replicas }) => {
    const counterAt = (t: number) => (t - Math.max(0, ...resets.filter((reset) => reset <= t))) * TRUE_RATE;
    return {
      resets,
      replicas: replicas.map(({ offset, jitter, base, gaps }) => {
        let random = seed;
        const own: [number, number][] = [];
        for (let at = offset; at < 600_000; at += step) {
          random = (random * 48_271) % 2_147_483_647;
          const t = at + (random % (jitter + 1));
          if (!gaps.some(({ from, length }) => t >= from && t < from + length))
            own.push([t, counterAt(t) + base]);
        }
        return own;
      }),
    };
  });

test('the samples that count are those of the definition, one by one', () => {
  fc.assert(
    fc.property(observers, ({ replicas }) => {
      let counted = replicas[0];
      for (const own of replicas.slice(1)) {
        const more = own.filter((_, j) => isOutOfReach(counted, own, j));
        counted = [...counted, ...more].sort(([a], [b]) => a - b);
      }
      expect(pairs(fillGaps(replicas.map(samples), false))).toEqual(counted);
    }),
    { numRuns: 300 },
  );
});

/** Whether no counted sample lies within ¾ of the spacing around sample j. */
function isOutOfReach(
  counted: readonly (readonly [number, number])[],
  own: readonly (readonly [number, number])[],
  j: number,
): boolean {
  const [t] = own[j];
  const times = counted.map(([at]) => at);
  const before = times.filter((at) => at < t).slice(-2);
  const after = times.filter((at) => at >= t).slice(0, 2);
  const spacings = [
    SPACING_MAX_MS,
    ...(j > 0 ? [t - own[j - 1][0]] : []),
    ...(j + 1 < own.length ? [own[j + 1][0] - t] : []),
    ...(before.length === 2 ? [before[1] - before[0]] : []),
    ...(after.length === 2 ? [after[1] - after[0]] : []),
  ];
  const reach = 0.75 * Math.min(...spacings);
  return times.every((at) => Math.abs(at - t) > reach);
}

test('a query that begins or ends elsewhere gives the same samples, once it reads the margin', () => {
  fc.assert(
    fc.property(observers, fc.nat(600_000), fc.nat(300_000), ({ replicas }, from, length) => {
      const margin = MARGIN_MS * replicas.length;
      const inside = ([t]: readonly [number, number | string]) => t >= from && t <= from + length;
      const read = replicas.map((own) =>
        samples(own.filter(([t]) => t >= from - margin && t <= from + length + margin)),
      );
      const part = pairs(fillGaps(read, false)).filter(inside);
      const whole = pairs(fillGaps(replicas.map(samples), false)).filter(inside);
      expect(part).toEqual(whole);
    }),
    { numRuns: 500 },
  );
});

test('a switch of replicas never looks like a reset of a counter, whatever they count from', () => {
  fc.assert(
    fc.property(observers, ({ replicas, resets }) => {
      fc.pre(resets.length === 0);
      const { values } = fillGaps(replicas.map(samples), true);
      for (let i = 1; i < values.length; i++) expect(values[i]).toBeGreaterThanOrEqual(values[i - 1]);
    }),
    { numRuns: 500 },
  );
});

test('a seam never makes a counter jump, whatever its replicas count from', () => {
  fc.assert(
    fc.property(observers, ({ replicas, resets }) => {
      fc.pre(resets.length === 0);
      const { timestamps, values } = fillGaps(replicas.map(samples), true);
      const known = replicas.flat();
      const first = Math.min(...known.map(([t]) => t));
      for (let i = 1; i < values.length; i++) {
        // Where no replica saw both sides, two bases cannot be told apart. A base that differs by little cannot be
        // seen either, and may add as much to each side of a seam.
        const covered = replicas.some(
          (own) => own.some(([t]) => t <= timestamps[i - 1]) && own.some(([t]) => t >= timestamps[i]),
        );
        if (!covered || timestamps[i - 1] < first) continue;
        expect((values[i] - values[i - 1]) / (timestamps[i] - timestamps[i - 1])).toBeLessThan(6 * TRUE_RATE);
      }
    }),
    // A bound of experience, so with data that stay the same.
    { numRuns: 300, seed: 20 },
  );
});

test('the marker of one replica is overruled by another that still sees the series', () => {
  const a = samples([...every(15_000, 0, 60_000), [60_000, null], ...every(15_000, 300_000, 360_000)]);
  const b = samples(every(15_000, 0, 360_000, 7_000));
  expect(pairs(fillGaps([a, b], false)).some(([, v]) => v === 'stale')).toBe(false);
});

test('a marker stays when no replica sees the series any more, or the next scrape does', () => {
  const gone: [number, number | null][] = [...every(15_000, 0, 60_000), [60_000, null]];
  const b = samples([...every(15_000, 0, 60_000, 7_000), [67_000, null]]);
  expect(pairs(fillGaps([samples(gone), b], false)).filter(([, v]) => v === 'stale')).toEqual([
    [60_000, 'stale'],
    [67_000, 'stale'],
  ]);
  const flapping = samples([...every(15_000, 0, 60_000), [60_000, null], [75_000, 75_000]]);
  expect(fillGaps([flapping], false)).toEqual(flapping);
});
