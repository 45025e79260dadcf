import type { LabelPairs } from '../index/label-pairs.ts';
import type { SeriesRun } from './series-run.ts';

/** The series of several blocks in the order of their labels; equal ones of different blocks come together. */
export class MergedRuns {
  /** Those that stand on a series, in the order of their blocks. */
  readonly #runs: SeriesRun[] = [];
  #pairs: LabelPairs;
  /** The runs that stand on the current series, in the order of their blocks; the next move changes it. */
  readonly current: SeriesRun[] = [];

  private constructor(pairs: LabelPairs) {
    this.#pairs = pairs;
  }

  /** Stands on the first series, if there is one. Throws `corrupt`. */
  static async open(runs: readonly SeriesRun[], pairs: LabelPairs, signal: AbortSignal): Promise<MergedRuns> {
    const merged = new MergedRuns(pairs);
    const present = await Promise.all(runs.map((run) => run.next(signal)));
    merged.#runs.push(...runs.filter((_, i) => present[i]));
    merged.#findLeast();
    return merged;
  }

  get isEnded(): boolean {
    return this.#runs.length === 0;
  }

  /** To the next series without waiting; false when more must be decoded first. */
  advance(): boolean {
    let isWhole = true;
    for (const run of this.current) if (!run.advance()) isWhole = false;
    if (isWhole) this.#findLeast();
    return isWhole;
  }

  /** Goes on where `advance` could not. Throws `corrupt`. */
  async load(signal: AbortSignal): Promise<void> {
    const usedUp = this.current.filter((run) => run.isUsedUp);
    // At the same time: blocks of equal series come to an end together, and each may have to read from its disk.
    const present = await Promise.all(usedUp.map((run) => run.next(signal)));
    for (const [i, run] of usedUp.entries()) if (!present[i]) this.#runs.splice(this.#runs.indexOf(run), 1);
    this.#findLeast();
  }

  /** Goes on with other numbers. */
  renumber(pairs: LabelPairs): void {
    this.#pairs = pairs;
    for (const run of this.#runs) run.renumber(pairs);
  }

  /** All are looked at: mostly all stand on the same series. */
  #findLeast(): void {
    const { current } = this;
    current.length = 0;
    for (const run of this.#runs) {
      const order = current.length === 0 ? 0 : this.#compare(run, current[0]);
      if (order > 0) continue;
      if (order < 0) current.length = 0;
      current.push(run);
    }
  }

  /** As `compareLabels`. */
  #compare(a: SeriesRun, b: SeriesRun): number {
    const length = a.pairEnd - a.pairStart;
    const other = b.pairEnd - b.pairStart;
    const shorter = Math.min(length, other);
    for (let i = 0; i < shorter; i++) {
      const x = a.pairs[a.pairStart + i];
      const y = b.pairs[b.pairStart + i];
      if (x !== y) return this.#pairs.compare(x, y);
    }
    return length - other;
  }
}
