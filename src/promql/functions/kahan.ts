/**
 * A sum with Neumaier's compensation, as Prometheus adds: the value is `sum + c`. One object reused in loops.
 * After an overflow the compensation stays 0 so that infinities stay infinite.
 */
export class KahanSum {
  sum = 0;
  c = 0;

  reset(sum = 0): void {
    this.sum = sum;
    this.c = 0;
  }

  add(value: number): void {
    const t = this.sum + value;
    if (t === Infinity || t === -Infinity) this.c = 0;
    else if (Math.abs(this.sum) >= Math.abs(value)) this.c += this.sum - t + value;
    else this.c += value - t + this.sum;
    this.sum = t;
  }

  get value(): number {
    return this.sum + this.c;
  }
}
