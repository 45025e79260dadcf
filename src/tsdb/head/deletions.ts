import { addInterval, type Interval } from '../block/tombstones.ts';

/** Stretches deleted from series of the head, by slot, merged and in order of time. */
export class Deletions {
  readonly #bySlot = new Map<number, readonly Interval[]>();

  get isEmpty(): boolean {
    return this.#bySlot.size === 0;
  }

  add(slot: number, interval: Interval): void {
    this.#bySlot.set(slot, addInterval(this.#bySlot.get(slot) ?? [], interval));
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
