import type { Interval } from './head-slice.ts';

/** Stretches deleted from series of the head, by slot, merged and in order of time. */
export class Deletions {
  readonly #bySlot = new Map<number, Interval[]>();

  get isEmpty(): boolean {
    return this.#bySlot.size === 0;
  }

  add(slot: number, interval: Interval): void {
    this.#bySlot.set(slot, mergeIntervals([...(this.#bySlot.get(slot) ?? []), interval]));
  }

  of(slot: number): readonly Interval[] | undefined {
    return this.#bySlot.get(slot);
  }

  /** Forgets stretches that end before `mint`. */
  truncate(mint: number): void {
    for (const [slot, intervals] of this.#bySlot) {
      const kept = intervals.filter((interval) => interval.maxt >= mint);
      if (kept.length === 0) this.#bySlot.delete(slot);
      else this.#bySlot.set(slot, kept);
    }
  }

  removeSlot(slot: number): void {
    this.#bySlot.delete(slot);
  }
}

/** The same times in the fewest intervals, ascending. */
export function mergeIntervals(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const { mint, maxt } of [...intervals].sort((a, b) => a.mint - b.mint)) {
    const last = merged.at(-1);
    if (last !== undefined && mint <= last.maxt + 1)
      merged[merged.length - 1] = { mint: last.mint, maxt: Math.max(last.maxt, maxt) };
    else merged.push({ mint, maxt });
  }
  return merged;
}
