import { isStaleAt } from '../../model/sample.ts';

/** Go sorts up to this many elements by insertion, which keeps equal ones in the order they are in. */
const INSERTION_SORTED_MAX = 12;

/**
 * The k best values of one group at every step; NaN only when nothing else is left. The cells of a step are the heap that
 * Prometheus holds them in, the worst on top, because it decides which of several equal ones stay. Element e of step i is
 * index `e * steps + i`; there is room for as many elements as rows came, up to k.
 */
export class BestCells {
  readonly #steps: number;
  readonly #kMax: number;
  /** Wanted at each step. */
  readonly #k: Int32Array;
  readonly #largest: boolean;
  #capacity = 1;
  #values: Float64Array;
  #rows: Int32Array;
  readonly #counts: Int32Array;

  constructor(k: Int32Array, largest: boolean) {
    this.#steps = k.length;
    this.#k = k;
    this.#kMax = k.reduce((most, wanted) => Math.max(most, wanted), 0);
    this.#largest = largest;
    this.#values = new Float64Array(this.#steps);
    this.#rows = new Int32Array(this.#steps);
    this.#counts = new Int32Array(this.#steps);
  }

  /** Cells that it has room for. */
  get size(): number {
    return this.#values.length;
  }

  /** Offers the floats of a row: `values` and `presence` (1: float) from `from` on, a cell per step. */
  offer(row: number, values: Float64Array, presence: Uint8Array, from: number): void {
    const counts = this.#counts;
    const wanted = this.#k;
    const largest = this.#largest;
    const steps = this.#steps;
    for (let i = 0; i < steps; i++) {
      if (presence[from + i] !== 1) continue;
      const value = values[from + i];
      if (counts[i] < wanted[i]) this.#push(i, row, value);
      else if (this.#beatsWorst(i, value, largest)) this.#replaceWorst(i, row, value);
    }
  }

  /** Takes in what is good enough of a row of the kernel and sets `taken` at these steps. Whether there were any. */
  admit(row: Float64Array, taken: Uint8Array): boolean {
    const counts = this.#counts;
    const wanted = this.#k;
    const largest = this.#largest;
    let any = false;
    for (let i = 0; i < row.length; i++) {
      const value = row[i];
      // Most cells end here: not better than the worst that is kept. NaN is never better, but may be an absent step.
      if (counts[i] >= wanted[i] && !this.#beatsWorst(i, value, largest)) continue;
      if (Number.isNaN(value) && isStaleAt(wordsOf(row), i)) continue;
      if (counts[i] < wanted[i]) this.#push(i, 0, value);
      else this.#replaceWorst(i, 0, value);
      taken[i] = 1;
      any = true;
    }
    return any;
  }

  /** Whether a value takes the place of the worst that is kept at a step where there is no more room. */
  #beatsWorst(step: number, value: number, largest: boolean): boolean {
    if (this.#k[step] === 0) return false;
    const worst = this.#values[step];
    if (largest ? value > worst : value < worst) return true;
    return Number.isNaN(worst) && !Number.isNaN(value);
  }

  /** Visits every cell that stays, step by step. */
  visit(visit: (row: number, step: number, value: number) => void): void {
    for (let step = 0; step < this.#steps; step++)
      for (let e = 0, at = step; e < this.#counts[step]; e++, at += this.#steps)
        visit(this.#rows[at], step, this.#values[at]);
  }

  /** The rows and values of a step, best first. */
  bestFirst(step: number): { row: number; value: number }[] {
    const cells = Array.from({ length: this.#counts[step] }, (_, e) => ({
      row: this.#rows[e * this.#steps + step],
      value: this.#values[e * this.#steps + step],
    }));
    const isBelow = (a: { value: number }, b: { value: number }) => this.#isBelow(a.value, b.value);
    if (cells.length > INSERTION_SORTED_MAX)
      return cells.sort((a, b) => Number(isBelow(a, b)) - Number(isBelow(b, a)));
    for (let i = 1; i < cells.length; i++)
      for (let at = i; at > 0 && isBelow(cells[at - 1], cells[at]); at--)
        [cells[at], cells[at - 1]] = [cells[at - 1], cells[at]];
    return cells;
  }

  #isBelow(a: number, b: number): boolean {
    return Number.isNaN(a) || (this.#largest ? a < b : a > b);
  }

  #push(step: number, row: number, value: number): void {
    let e = this.#counts[step]++;
    if (e === this.#capacity) this.#grow();
    this.#put(e, step, row, value);
    while (e > 0) {
      const parent = (e - 1) >> 1;
      if (!this.#isElementBelow(step, e, parent)) return;
      this.#swap(step, e, parent);
      e = parent;
    }
  }

  #replaceWorst(step: number, row: number, value: number): void {
    this.#put(0, step, row, value);
    const count = this.#counts[step];
    for (let e = 0, child = 1; child < count; child = 2 * e + 1) {
      if (child + 1 < count && this.#isElementBelow(step, child + 1, child)) child++;
      if (!this.#isElementBelow(step, child, e)) return;
      this.#swap(step, e, child);
      e = child;
    }
  }

  #isElementBelow(step: number, a: number, b: number): boolean {
    return this.#isBelow(this.#values[a * this.#steps + step], this.#values[b * this.#steps + step]);
  }

  #put(e: number, step: number, row: number, value: number): void {
    this.#values[e * this.#steps + step] = value;
    this.#rows[e * this.#steps + step] = row;
  }

  #swap(step: number, a: number, b: number): void {
    const [i, j] = [a * this.#steps + step, b * this.#steps + step];
    const [value, row] = [this.#values[i], this.#rows[i]];
    this.#values[i] = this.#values[j];
    this.#rows[i] = this.#rows[j];
    this.#values[j] = value;
    this.#rows[j] = row;
  }

  #grow(): void {
    this.#capacity = Math.min(this.#kMax, 2 * this.#capacity);
    const values = new Float64Array(this.#capacity * this.#steps);
    values.set(this.#values);
    this.#values = values;
    const rows = new Int32Array(values.length);
    rows.set(this.#rows);
    this.#rows = rows;
  }
}

function wordsOf(row: Float64Array): Uint32Array {
  return new Uint32Array(row.buffer, row.byteOffset, 2 * row.length);
}
