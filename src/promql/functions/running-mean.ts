import { KahanSum } from './kahan.ts';

const kahan = new KahanSum();

/** The compensated mean of floats that come one by one; when the sum overflows it goes on as a running mean, as Prometheus does. */
export class RunningMean {
  count = 0;
  #sum = 0;
  #c = 0;
  #mean = 0;
  #isIncremental = false;

  reset(): void {
    this.count = 0;
    this.#isIncremental = false;
  }

  add(v: number): void {
    const count = ++this.count;
    if (count === 1) {
      this.#sum = v;
      this.#c = 0;
      return;
    }
    if (!this.#isIncremental) {
      kahan.sum = this.#sum;
      kahan.c = this.#c;
      kahan.add(v);
      if (Math.abs(kahan.sum) !== Number.POSITIVE_INFINITY) {
        this.#sum = kahan.sum;
        this.#c = kahan.c;
        return;
      }
      this.#isIncremental = true;
      this.#mean = this.#sum / (count - 1);
      this.#c /= count - 1;
    }
    const q = (count - 1) / count;
    kahan.sum = q * this.#mean;
    kahan.c = q * this.#c;
    kahan.add(v / count);
    this.#mean = kahan.sum;
    this.#c = kahan.c;
  }

  get value(): number {
    return this.#isIncremental ? this.#mean + this.#c : this.#sum / this.count + this.#c / this.count;
  }

  /** Count, sum, compensation, mean, and which of both it is, as five numbers that are zeros in the beginning. */
  load(state: Float64Array, at: number): void {
    this.count = state[at];
    this.#sum = state[at + 1];
    this.#c = state[at + 2];
    this.#mean = state[at + 3];
    this.#isIncremental = state[at + 4] === 1;
  }

  store(state: Float64Array, at: number): void {
    state[at] = this.count;
    state[at + 1] = this.#sum;
    state[at + 2] = this.#c;
    state[at + 3] = this.#mean;
    state[at + 4] = this.#isIncremental ? 1 : 0;
  }
}
