import { SERIES_PER_INSTANCE, seriesKind } from './series.ts';

/** The values of all series at successive scrapes: counters that grow and sometimes restart, gauges that walk. */
export class Values {
  readonly current: Float64Array;
  readonly #total: number;
  #state = 0x9e3779b9;

  constructor(total: number) {
    this.#total = total;
    this.current = new Float64Array(total);
    for (let i = 0; i < total; i++) this.current[i] = this.#start(i);
  }

  /** Moves every series one scrape on. */
  advance(): void {
    const { current } = this;
    const perMetric = this.#total / 10;
    for (let metric = 0; metric < 10; metric++) {
      const kind = seriesKind(metric * perMetric, this.#total);
      for (let i = metric * perMetric; i < (metric + 1) * perMetric; i++) {
        if (kind === 'counter')
          current[i] = this.#chance(100_000) ? 0 : current[i] + this.#below(1 + (i % 997));
        else if (kind === 'bucket') current[i] = this.#bucket(i);
        else current[i] = Math.round((current[i] + (this.#below(2001) - 1000) / 100) * 100) / 100;
      }
    }
  }

  #start(i: number): number {
    const kind = seriesKind(i, this.#total);
    return kind === 'bucket'
      ? 0
      : kind === 'counter'
        ? this.#below(1_000_000)
        : 50 + this.#below(10_000) / 100;
  }

  /** Buckets are cumulative: each adds to the one below it in the same histogram. */
  #bucket(i: number): number {
    const below = i % SERIES_PER_INSTANCE === 0 ? 0 : this.#grown;
    this.#grown = below + this.#below(8);
    return this.current[i] + this.#grown;
  }

  #grown = 0;

  #below(bound: number): number {
    return Math.floor((this.#next() / 4294967296) * bound);
  }

  #chance(oneIn: number): boolean {
    return this.#next() < 4294967296 / oneIn;
  }

  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }
}
