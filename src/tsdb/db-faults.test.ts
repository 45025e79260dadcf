import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import { answer, floatSeries, HOUR, openDb, requestBody, T0, TestClock } from './testdata/db-fixture.ts';

const MINUTE = 60_000;
const STEP = 40 * MINUTE;
const STEPS = 15;
/** A series ends and another begins every so many steps; one falls silent for long and comes back. */
const STEPS_PER_CHURN = 3;
const SILENT = { from: 1, to: 7 };
const RESTARTS = [8, 12];

interface Sample {
  readonly name: string;
  readonly t: number;
  readonly v: number;
}

/** What goes wrong, from disk operation `at` on for `length` operations. */
interface Fault {
  readonly kind: 'EIO' | 'ENOSPC';
  readonly at: number;
  readonly length: number;
  /** The machine dies at the end of the step with the fault; otherwise at the end of all. */
  readonly dies: boolean;
}

/**
 * Series that come, go and come back, late samples and repeated requests at the same time as the request that makes their
 * series, blocks, checkpoints and restarts, with one fault of the disk in it.
 */
class FaultyRun {
  readonly #disk = new MemoryDisk();
  readonly #clock = new TestClock(T0);
  readonly #fault: Fault;
  readonly #acknowledged: Sample[] = [];
  #again: Sample[][] = [];
  #operations = 0;
  #db: Db | undefined;

  constructor(fault: Fault) {
    this.#fault = fault;
    const { faults } = this.#disk;
    faults.fails = (operation, path) => {
      if (operation === 'read' || !/\/w[ab]l\b/.test(path)) return false;
      const at = this.#operations++ - fault.at;
      const isNow = at >= 0 && at < fault.length;
      faults.bytesLeft = isNow && fault.kind === 'ENOSPC' ? 50 : Number.POSITIVE_INFINITY;
      return isNow && fault.kind === 'EIO';
    };
  }

  /** Whether the fault came about. */
  async run(): Promise<boolean> {
    const { at, dies } = this.#fault;
    for (let step = 0; step < STEPS; step++) {
      const before = this.#operations;
      await this.#step(step);
      if (dies && before <= at && this.#operations > at) break;
    }
    const happened = this.#operations > at;
    // A log that was asked to recover in the last step does so now.
    if (!dies) await new Promise((resolve) => setImmediate(resolve));
    await this.#die();
    return happened;
  }

  async #step(step: number): Promise<void> {
    this.#clock.time = T0 + step * STEP;
    try {
      if (RESTARTS.includes(step)) await this.#restart();
      this.#db ??= await this.#open();
      await this.#write(step);
      if (step % 2 === 1) await this.#db.maintain();
    } catch (error) {
      expectUnavailable(error);
    }
  }

  async #write(step: number): Promise<void> {
    const names = namesAt(step);
    const t = this.#clock.time;
    const scrape = names.map((name) => sampleAt(name, t));
    const late = names.map((name) => sampleAt(name, t - 7 * MINUTE));
    const again = this.#again.splice(0);
    await Promise.all([scrape, late, scrape, late, ...again].map((samples) => this.#send(samples)));
  }

  async #send(samples: Sample[]): Promise<void> {
    const series = samples.map(({ name, t, v }) => floatSeries({ __name__: name }, [[t, v]]));
    try {
      const { refused } = await this.#db!.write(requestBody(series), 1, admitAll);
      for (const sample of samples)
        if (!refused.some(({ labels, t }) => labels.get('__name__') === sample.name && t === sample.t))
          this.#acknowledged.push(sample);
    } catch (error) {
      expectUnavailable(error);
      this.#again.push(samples);
    }
  }

  async #restart(): Promise<void> {
    await this.#db?.close().catch(() => undefined);
    this.#db = undefined;
  }

  async #die(): Promise<void> {
    const { faults } = this.#disk;
    faults.fails = () => false;
    faults.bytesLeft = Number.POSITIVE_INFINITY;
    this.#disk.crash(this.#fault.at);
    const db = await this.#open();
    const found = await answer(db, 0, T0 * 2);
    const missing = this.#acknowledged.filter(
      ({ name, t, v }) =>
        !found[`{__name__="${name}"}`]?.some((sample) => sample[0] === t && sample[1] === v),
    );
    expect({ ...this.#fault, missing }).toEqual({ ...this.#fault, missing: [] });
    // A late sample whose series never got into the log was not acknowledged.
    if (!this.#fault.dies) expect([this.#fault, db.head.replayed.unknownRefs]).toEqual([this.#fault, 0]);
    await db.close();
  }

  #open(): Promise<Db> {
    return openDb(this.#disk, this.#clock, {
      limits: { outOfOrderWindowMs: 2 * HOUR },
      wal: { fsync: 'always', segmentBytes: 32 * 1024 },
    });
  }
}

/** Refused because of the fault, to be tried again. */
function expectUnavailable(error: unknown): void {
  if (!/EIO|ENOSPC/.test(String(error))) throw error;
}

function namesAt(step: number): string[] {
  const generation = Math.floor(step / STEPS_PER_CHURN);
  const names = ['always', `g${generation}`, `g${generation + 1}`];
  if (step < SILENT.from || step >= SILENT.to) names.push('comeback');
  return names;
}

function sampleAt(name: string, t: number): Sample {
  return { name, t, v: t / 1000 + name.length };
}

for (const kind of ['EIO', 'ENOSPC'] as const)
  for (const dies of [true, false])
    test(`${kind} at any operation of the log loses nothing acknowledged, ${dies ? 'when the machine dies soon' : 'later on'}`, async () => {
      let at = 0;
      while (await new FaultyRun({ kind, at, length: 3, dies }).run()) at++;
      expect(at).toBeGreaterThan(80);
    }, 240_000);
