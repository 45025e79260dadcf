import type { FloatHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { type Batch, newBatch, Presence } from './batch.ts';
import { LabelColumn } from './label-column.ts';

/** A batch in the making whose rows are found by their label sets. */
export class RowBuilder {
  readonly steps: number;
  readonly #labels: Labels[] = [];
  readonly #nameDropped: boolean[] = [];
  readonly #rowOf = new Map<string, number>();
  #values: Float64Array;
  #presence: Uint8Array;
  #histograms: (FloatHistogram | undefined)[] | undefined;

  constructor(steps: number, rowsExpected = 16) {
    this.steps = steps;
    this.#values = new Float64Array(rowsExpected * steps);
    this.#presence = new Uint8Array(rowsExpected * steps);
  }

  get count(): number {
    return this.#labels.length;
  }

  /** The row with these labels, made when there is none. */
  rowOf(labels: Labels, nameDropped = false): number {
    const key = nameDropped ? `${labels.key()}\xff` : labels.key();
    let row = this.#rowOf.get(key);
    if (row !== undefined) return row;
    row = this.#labels.length;
    this.#rowOf.set(key, row);
    this.#labels.push(labels);
    this.#nameDropped.push(nameDropped);
    if (row * this.steps >= this.#values.length) this.#grow();
    return row;
  }

  has(row: number, step: number): boolean {
    return this.#presence[row * this.steps + step] !== Presence.none;
  }

  setFloat(row: number, step: number, value: number): void {
    const cell = row * this.steps + step;
    this.#values[cell] = value;
    this.#presence[cell] = Presence.float;
  }

  /** Adds to a float cell, which counts as 0 while it is empty. */
  addFloat(row: number, step: number, value: number): void {
    const cell = row * this.steps + step;
    this.#values[cell] += value;
    this.#presence[cell] = Presence.float;
  }

  setHistogram(row: number, step: number, histogram: FloatHistogram): void {
    this.#histograms ??= [];
    const cell = row * this.steps + step;
    this.#histograms[cell] = histogram;
    this.#presence[cell] = Presence.histogram;
  }

  /** Puts a cell of another batch here. */
  copy(row: number, step: number, from: Batch, cell: number): void {
    if (from.presence[cell] === Presence.float) this.setFloat(row, step, from.values[cell]);
    else if (from.presence[cell] === Presence.histogram)
      this.setHistogram(row, step, from.histograms![cell]!);
  }

  /** All rows made so far; the builder is used up. */
  finish(): Batch {
    const delayed = this.#nameDropped.includes(true);
    const batch = newBatch(LabelColumn.from(this.#labels), this.steps, {
      nameDropped: delayed ? Uint8Array.from(this.#nameDropped, Number) : undefined,
    });
    const size = batch.values.length;
    batch.values.set(this.#values.subarray(0, size));
    batch.presence.set(this.#presence.subarray(0, size));
    batch.histograms = this.#histograms;
    return batch;
  }

  #grow(): void {
    const size = Math.max(2 * this.#values.length, 16 * this.steps);
    const values = new Float64Array(size);
    const presence = new Uint8Array(size);
    values.set(this.#values);
    presence.set(this.#presence);
    this.#values = values;
    this.#presence = presence;
  }
}
