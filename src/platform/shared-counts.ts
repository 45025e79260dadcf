import { assert } from './assert.ts';

/** A counter, or with `bounds` a histogram, whose every series is known beforehand: one for each value of its one label. */
export interface CountFamily {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  readonly values: readonly string[];
  /** Upper bounds of the buckets, ascending. */
  readonly bounds?: readonly number[];
}

/** Can be sent to another thread, which then counts in the same place. */
export type CountMemory = BigInt64Array<SharedArrayBuffer>;

/** A histogram of one series; `buckets` are not cumulative, the last one is above all bounds. */
export interface SharedHistogram {
  readonly buckets: readonly number[];
  readonly sum: number;
}

/** Sums are kept as whole numbers of this part, so that they can be added to by several threads. */
const SUM_UNITS = 1_000_000;

/**
 * Numbers that all threads of a process add to. What a thread counted stays when it dies, and nothing is sent from one to
 * another: an addition or observation costs about a microsecond. All threads must name the same families in the same order.
 *
 *     for each family, for each value of its label, 64-bit integers:
 *     counter     the count
 *     histogram   one count per bound, one for what is above, the sum in millionths
 */
export class SharedCounts {
  readonly families: readonly CountFamily[];
  readonly memory: CountMemory;
  readonly #places = new Map<string, ReadonlyMap<string, number>>();

  /** `memory` is that of another `SharedCounts` of the same families; without it counting begins at zero. */
  constructor(families: readonly CountFamily[], memory?: CountMemory) {
    this.families = families;
    let next = 0;
    for (const family of families) {
      const size = cellsOf(family);
      this.#places.set(family.name, new Map(family.values.map((value, i) => [value, next + i * size])));
      next += size * family.values.length;
    }
    this.memory = memory ?? new BigInt64Array(new SharedArrayBuffer(8 * next));
    assert(this.memory.length === next, 'shared counts are of the same families');
  }

  /** `amount` is a whole number, not negative. */
  add({ name }: CountFamily, value: string, amount = 1): void {
    this.#addAt(this.#placeOf(name, value), amount);
  }

  observe({ name, bounds = [] }: CountFamily, value: string, observed: number): void {
    const place = this.#placeOf(name, value);
    const above = bounds.findIndex((bound) => observed <= bound);
    this.#addAt(place + (above < 0 ? bounds.length : above), 1);
    this.#addAt(place + bounds.length + 1, Math.round(observed * SUM_UNITS));
  }

  count({ name }: CountFamily, value: string): number {
    return this.#at(this.#placeOf(name, value));
  }

  histogram({ name, bounds = [] }: CountFamily, value: string): SharedHistogram {
    const place = this.#placeOf(name, value);
    const buckets = Array.from({ length: bounds.length + 1 }, (_, i) => this.#at(place + i));
    return { buckets, sum: this.#at(place + bounds.length + 1) / SUM_UNITS };
  }

  #placeOf(name: string, value: string): number {
    const place = this.#places.get(name)?.get(value);
    assert(place !== undefined, 'what is counted was named beforehand');
    return place;
  }

  #addAt(place: number, amount: number): void {
    Atomics.add(this.memory, place, BigInt(amount));
  }

  #at(place: number): number {
    return Number(Atomics.load(this.memory, place));
  }
}

function cellsOf({ bounds }: CountFamily): number {
  return bounds ? bounds.length + 2 : 1;
}
