import type { Samples } from './fill-gaps.ts';

/**
 * Deduplication as Thanos' queriers do it (`pkg/dedup`, penalty), for those who compare: replicas are folded pairwise from the
 * left; of two the one with the earlier next sample is taken, and the other must then skip twice the distance between the
 * last two samples taken (5 s when that is not known yet). Of a counter a replica that is lower than the last value taken, when
 * the pair switches, is lifted by the difference from there on.
 *
 * The answer depends on where the samples begin: a query over a part may choose other samples than one over the whole.
 */
export function mergeByPenalty(replicas: readonly Samples[], counter: boolean): Samples {
  const [first, ...others] = replicas.map((samples) => new ReplicaCursor(samples, counter));
  let cursor: Cursor = first;
  for (const other of others) cursor = new PairCursor(cursor, other);
  const countMax = replicas.reduce((sum, { timestamps: own }) => sum + own.length, 0);
  const timestamps = new Float64Array(countMax);
  const values = new Float64Array(countMax);
  let count = 0;
  for (; cursor.next(); count++) {
    values[count] = cursor.value;
    timestamps[count] = cursor.t;
  }
  return { timestamps: timestamps.subarray(0, count), values: values.subarray(0, count) };
}

const INITIAL_PENALTY_MS = 5000;

interface Cursor {
  readonly t: number;
  readonly value: number;
  /** To the next sample; false at the end. */
  next(): boolean;
  /** To the first sample at or after t, never back; false when there is none. */
  seek(t: number): boolean;
  /** Lifts what follows when it is below the last value taken. */
  lift(last: number): void;
}

/**
 * How far a counter had counted at each sample since the first, as Thanos looks at it before replicas are joined: a value below
 * the one before is a restart from zero. Samples that are no number are left out.
 */
export function accumulated({ timestamps, values }: Samples): Samples {
  const times = new Float64Array(timestamps.length);
  const totals = new Float64Array(timestamps.length);
  let count = 0;
  let total = 0;
  let last = 0;
  for (let i = 0; i < timestamps.length; i++) {
    const value = values[i];
    if (Number.isNaN(value)) continue;
    total = count === 0 ? value : total + (value < last ? value : value - last);
    last = value;
    times[count] = timestamps[i];
    totals[count++] = total;
  }
  return { timestamps: times.subarray(0, count), values: totals.subarray(0, count) };
}

class ReplicaCursor implements Cursor {
  readonly #samples: Samples;
  readonly #counter: boolean;
  #at = -1;
  #lifted = 0;

  constructor(samples: Samples, counter: boolean) {
    this.#samples = samples;
    this.#counter = counter;
  }

  get t(): number {
    return this.#samples.timestamps[this.#at];
  }

  get value(): number {
    const value = this.#samples.values[this.#at];
    // Not by adding zero: a staleness marker would lose its bits.
    return this.#lifted === 0 ? value : value + this.#lifted;
  }

  next(): boolean {
    return ++this.#at < this.#samples.timestamps.length;
  }

  seek(t: number): boolean {
    const { timestamps } = this.#samples;
    if (this.#at < 0) this.#at = 0;
    while (this.#at < timestamps.length && timestamps[this.#at] < t) this.#at++;
    return this.#at < timestamps.length;
  }

  lift(last: number): void {
    if (this.#counter && last > this.value) this.#lifted += last - this.value;
  }
}

class PairCursor implements Cursor {
  readonly #a: Cursor;
  readonly #b: Cursor;
  #hasA: boolean;
  #hasB: boolean;
  #usesA = true;
  #lastT = Number.NEGATIVE_INFINITY;
  #penaltyA = 0;
  #penaltyB = 0;

  constructor(a: Cursor, b: Cursor) {
    this.#a = a;
    this.#b = b;
    this.#hasA = a.next();
    this.#hasB = b.next();
  }

  get t(): number {
    return this.#usesA ? this.#a.t : this.#b.t;
  }

  get value(): number {
    return this.#usesA ? this.#a.value : this.#b.value;
  }

  next(): boolean {
    const began = this.#lastT !== Number.NEGATIVE_INFINITY;
    const last = began ? this.value : Number.NaN;
    const usedA = this.#usesA;
    const found = this.#advance();
    if (found && began && usedA !== this.#usesA) this.lift(last);
    return found;
  }

  seek(t: number): boolean {
    while (this.#lastT === Number.NEGATIVE_INFINITY || this.t < t) if (!this.next()) return false;
    return true;
  }

  lift(last: number): void {
    if (this.#hasA) this.#a.lift(last);
    if (this.#hasB) this.#b.lift(last);
  }

  #advance(): boolean {
    if (this.#hasA) this.#hasA = this.#a.seek(this.#lastT + 1 + this.#penaltyA);
    if (this.#hasB) this.#hasB = this.#b.seek(this.#lastT + 1 + this.#penaltyB);
    if (!this.#hasA || !this.#hasB) return this.#advanceAlone();
    const known = this.#lastT !== Number.NEGATIVE_INFINITY;
    this.#usesA = this.#a.t <= this.#b.t;
    const { t } = this;
    const penalty = known ? 2 * (t - this.#lastT) : INITIAL_PENALTY_MS;
    this.#penaltyA = this.#usesA ? 0 : penalty;
    this.#penaltyB = this.#usesA ? penalty : 0;
    this.#lastT = t;
    return true;
  }

  #advanceAlone(): boolean {
    if (!this.#hasA && !this.#hasB) return false;
    this.#usesA = this.#hasA;
    if (this.#usesA) this.#penaltyA = 0;
    else this.#penaltyB = 0;
    this.#lastT = this.t;
    return true;
  }
}
