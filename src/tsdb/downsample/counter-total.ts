import type { FloatColumns } from '../../chunkenc/xor.ts';

/**
 * The counter parts of consecutive aggregate chunks, or raw samples, as one counter that never goes down, as Thanos reads
 * them. Inside a part resets are worked in already; between two parts the last raw value of one and the first of the next
 * tell whether there was one. A time that does not ascend is no sample: the same time again gives the last raw value.
 */
export class CounterTotal {
  /** The last raw value so far. */
  lastValue = 0;
  #lastTime = Number.NEGATIVE_INFINITY;
  #total = 0;
  #started = false;
  readonly #timestamps: number[] = [];
  readonly #values: number[] = [];

  add({ timestamps, values }: FloatColumns): void {
    for (let i = 0; i < timestamps.length; i++) this.#addSample(timestamps[i], values[i]);
  }

  /** What was added; the total is empty afterwards, but goes on from where it is. */
  take(): FloatColumns {
    const columns = {
      timestamps: Float64Array.from(this.#timestamps),
      values: Float64Array.from(this.#values),
    };
    this.#timestamps.length = 0;
    this.#values.length = 0;
    return columns;
  }

  #addSample(t: number, v: number): void {
    if (Number.isNaN(v)) return;
    if (this.#started && t <= this.#lastTime) {
      if (t === this.#lastTime) this.lastValue = v;
      return;
    }
    if (!this.#started) this.#total = v;
    else this.#total += v >= this.lastValue ? v - this.lastValue : v;
    this.#started = true;
    this.#lastTime = t;
    this.lastValue = v;
    this.#timestamps.push(t);
    this.#values.push(this.#total);
  }
}
