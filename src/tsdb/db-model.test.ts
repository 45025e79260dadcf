import fc from 'fast-check';
import { expect, test } from 'vitest';
import { snappyCompress } from '../encoding/snappy.ts';
import type { Histogram } from '../model/histogram.ts';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { encodeWriteRequest } from '../proto/remote-write.ts';
import type { TimeSeries } from '../proto/time-series.ts';
import type { Db } from './db.ts';
import type { RareValue } from './head/rare-series.ts';
import { admitAll } from './head/series-table.ts';
import { answer, EVERYTHING, HOUR, openDb, T0, TestClock } from './testdata/db-fixture.ts';

/** Series `m` has floats and histograms in turn, the others floats only. */
const NAMES = ['a', 'b', 'c', 'm'];

type Step =
  | { readonly kind: 'write'; readonly samples: readonly { readonly name: string; readonly ago: number }[] }
  | { readonly kind: 'wait'; readonly minutes: number }
  | { readonly kind: 'delete'; readonly name: string; readonly ago: number; readonly minutes: number }
  | { readonly kind: 'crash'; readonly seed: number }
  | { readonly kind: 'restart' | 'maintain' | 'flush' };

const minutesAgo = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 5 }) },
  fc.integer({ min: 0, max: 400 }),
);
const steps = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      samples: fc.uniqueArray(fc.record({ name: fc.constantFrom(...NAMES), ago: minutesAgo }), {
        minLength: 1,
        maxLength: 10,
        selector: ({ name, ago }) => `${name} ${ago}`,
      }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 90 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('delete' as const),
      name: fc.constantFrom(...NAMES),
      ago: minutesAgo,
      minutes: fc.integer({ min: 0, max: 120 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), seed: fc.nat() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('restart' as const, 'maintain', 'maintain', 'maintain', 'flush'),
    }),
  },
);

test('any sequence of writes, waits, deletions, crashes and compactions answers like an array of samples', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(steps, { maxLength: 120, size: 'max' }),
      fc.constantFrom(0, 3 * HOUR),
      async (list, window) => {
        const run = await ModelRun.start(window);
        for (const step of list) await run.take(step);
        await run.check();
        for (const minutes of [0, 10, 90]) await run.checkNewest(minutes * 60_000);
      },
    ),
    { numRuns: 25 },
  );
});

class ModelRun {
  readonly #disk = new MemoryDisk();
  readonly #clock = new TestClock(T0 + HOUR);
  readonly #window: number;
  #db!: Db;
  /** Values by time, per series. */
  readonly #model = new Map(NAMES.map((name) => [name, new Map<number, number | string>()]));
  /** Deleted times that were written again: either answer is right. */
  readonly #either = new Set<string>();
  readonly #deleted: { name: string; mint: number; maxt: number }[] = [];

  private constructor(window: number) {
    this.#window = window;
  }

  static async start(window: number): Promise<ModelRun> {
    const run = new ModelRun(window);
    await run.#open();
    return run;
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'write':
        return this.#write(step.samples);
      case 'wait':
        this.#clock.time += step.minutes * 60_000;
        return;
      case 'delete':
        return this.#delete(step.name, this.#clock.time - step.ago * 60_000, step.minutes * 60_000);
      case 'crash':
        this.#disk.crash(step.seed);
        await this.#open();
        return this.check();
      case 'restart':
        await this.#db.close();
        await this.#open();
        return this.check();
      case 'maintain':
        await this.#db.maintain();
        return this.check();
      case 'flush':
        await this.#db.flush();
        return this.check();
    }
  }

  async check(): Promise<void> {
    const expected: Record<string, [number, number | string][]> = {};
    for (const [name, samples] of this.#model) {
      const list = this.#certain(name, [...samples]);
      if (list.length > 0) expected[`{__name__="${name}"}`] = list.sort((x, y) => x[0] - y[0]);
    }
    const found: typeof expected = {};
    for (const [labels, samples] of Object.entries(await answer(this.#db, 0, T0 * 2))) {
      const name = labels.slice('{__name__="'.length, -2);
      const list = this.#certain(
        name,
        samples.map(([t, value]) => [t, textOf(value)]),
      );
      if (list.length > 0) found[labels] = list;
    }
    expect(found).toEqual(expected);
  }

  /** Told that only the newest samples are looked at, the database gives the same ones. */
  async checkNewest(ago: number): Promise<void> {
    const maxt = this.#clock.time - ago;
    const mint = maxt - 20 * 60_000;
    const ask = async (newestOnly: boolean) => {
      const found = await answer(this.#db, mint, maxt, EVERYTHING, false, { newestOnly });
      return Object.entries(found).map(([labels, samples]) => [labels, samples.at(-1)]);
    };
    expect((await ask(true)).sort()).toEqual((await ask(false)).sort());
  }

  #certain(name: string, list: [number, number | string][]): [number, number | string][] {
    return list.filter(([t]) => !this.#either.has(`${name} ${t}`));
  }

  async #open(): Promise<void> {
    this.#db = await openDb(this.#disk, this.#clock, {
      limits: { outOfOrderWindowMs: this.#window },
      wal: { fsync: 'always', segmentBytes: 32 * 1024 },
    });
  }

  async #write(samples: readonly { name: string; ago: number }[]): Promise<void> {
    const series = samples.map(({ name, ago }) => seriesAt(name, this.#clock.time - ago * 60_000));
    const body = snappyCompress(encodeWriteRequest({ timeSeries: series, metadata: [] })).slice();
    const { refused } = await this.#db.write(body, 1, admitAll);
    const isRefused = (name: string, t: number) =>
      refused.some((one) => one.labels.get('__name__') === name && one.t === t);
    for (const { name, ago } of samples) {
      const t = this.#clock.time - ago * 60_000;
      if (isRefused(name, t)) continue;
      this.#model.get(name)!.set(t, valueAt(name, t));
      if (this.#deleted.some((one) => one.name === name && t >= one.mint && t <= one.maxt))
        this.#either.add(`${name} ${t}`);
    }
  }

  async #delete(name: string, mint: number, length: number): Promise<void> {
    const maxt = mint + length;
    await this.#db.deleteSeries([new Matcher('=', '__name__', name)], mint, maxt);
    const samples = this.#model.get(name)!;
    for (const t of [...samples.keys()]) if (t >= mint && t <= maxt) samples.delete(t);
    this.#deleted.push({ name, mint, maxt });
  }
}

function isHistogramTime(name: string, t: number): boolean {
  return name === 'm' && (t / 60_000) % 7 > 2;
}

function valueAt(name: string, t: number): number | string {
  return isHistogramTime(name, t) ? `histogram ${t}` : t / 1000 + name.charCodeAt(0);
}

function textOf(value: RareValue): number | string {
  return typeof value === 'number' ? value : `histogram ${value.count}`;
}

function seriesAt(name: string, t: number): TimeSeries {
  const labels = Labels.from({ __name__: name }).flat;
  if (!isHistogramTime(name, t))
    return {
      labels,
      samples: [{ t, v: valueAt(name, t) as number, startT: 0 }],
      histograms: [],
      exemplars: [],
    };
  return { labels, samples: [], histograms: [{ t, histogram: histogramOf(t), startT: 0 }], exemplars: [] };
}

function histogramOf(count: number): Histogram {
  return {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema: 1,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count,
    sum: count,
    positiveSpans: [{ offset: 0, length: 2 }],
    negativeSpans: [],
    customValues: [],
    positiveBuckets: [count - 5, 10 - count],
    negativeBuckets: [],
  };
}

test('whenever the machine dies, what was acknowledged is answered after the restart', async () => {
  let points = 0;
  for (let killAt = 1; ; killAt++) {
    const run = await killedRun(killAt);
    points++;
    if (!run.killed) break;
  }
  expect(points).toBeGreaterThan(100);
});

/** Writes, compacts and writes again; every change of the disk after operation `killAt` fails, then the machine dies. */
async function killedRun(killAt: number): Promise<{ killed: boolean }> {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 6 * HOUR);
  const options = {
    limits: { outOfOrderWindowMs: 2 * HOUR },
    wal: { fsync: 'always' as const, segmentBytes: 32 * 1024 },
  };
  const acknowledged = new Map<string, Map<number, number | string>>();
  let operations = 0;
  disk.faults.fails = () => {
    if (++operations < killAt) return false;
    disk.faults.readOnly = true;
    return true;
  };
  try {
    const db = await openDb(disk, clock, options);
    for (let hour = 0; hour < 6; hour++) {
      for (let minute = 0; minute < 60; minute += 12) {
        const times = NAMES.map((_, i) => T0 + hour * HOUR + (minute + i) * 60_000);
        await writeAcknowledged(db, times, acknowledged);
        // Some come an hour late.
        if (hour > 1 && minute === 12)
          await writeAcknowledged(
            db,
            times.map((t) => t - HOUR + 5_000),
            acknowledged,
          );
      }
      if (hour % 2 === 1) await db.maintain();
    }
    await db.close();
  } catch {
    // Whatever failed was not acknowledged.
  }
  const killed = operations >= killAt;
  disk.faults.fails = () => false;
  disk.faults.readOnly = false;
  disk.crash(killAt);
  const db = await openDb(disk, clock, options);
  const found = await answer(db, 0, T0 * 2);
  for (const [name, samples] of acknowledged) {
    const present = new Map((found[`{__name__="${name}"}`] ?? []).map(([t, value]) => [t, textOf(value)]));
    for (const [t, value] of samples)
      expect([killAt, name, t - T0, present.get(t)]).toEqual([killAt, name, t - T0, value]);
  }
  return { killed };
}

async function writeAcknowledged(
  db: Db,
  times: readonly number[],
  acknowledged: Map<string, Map<number, number | string>>,
): Promise<void> {
  const series = NAMES.map((name, i) => seriesAt(name, times[i]));
  const body = snappyCompress(encodeWriteRequest({ timeSeries: series, metadata: [] })).slice();
  const { refused } = await db.write(body, 1, admitAll);
  for (const [i, name] of NAMES.entries()) {
    if (refused.some((one) => one.labels.get('__name__') === name)) continue;
    const samples = acknowledged.get(name) ?? new Map<number, number | string>();
    acknowledged.set(name, samples.set(times[i], valueAt(name, times[i])));
  }
}
