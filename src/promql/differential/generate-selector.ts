import { type Chance, often, pick, weighted } from './chance.ts';
import { DATA_MINUTES, DATA_START, type Dialect } from './dialect.ts';

/** Writes selectors, ranges and what shifts them. */
export class SelectorGenerator {
  readonly #chance: Chance;
  readonly #dialect: Dialect;

  constructor(chance: Chance, dialect: Dialect) {
    this.#chance = chance;
    this.#dialect = dialect;
  }

  instant(): string {
    const mode = this.#dialect.isModern && often(this.#chance, 4) ? ' smoothed' : '';
    return `${this.#series(this.#dialect.metrics)}${mode}${this.shifts(12)}`;
  }

  /** `metrics` are those to choose from. */
  range(metrics: readonly string[], func: string): string {
    const text = `${this.#series(metrics)}[${this.duration()}]`;
    return `${text}${this.#rangeMode(func)}${this.shifts(12)}`;
  }

  subquery(expr: string): string {
    const step = weighted(this.#chance, [
      [2, ''],
      [3, '30s'],
      [3, '1m'],
      [1, '77s'],
      [1, '13s'],
    ]);
    return `${expr}[${pick(this.#chance, ['1m', '2m', '5m', '150s'])}:${step}]${this.shifts(12)}`;
  }

  duration(): string {
    const modern = ['step() * 3', 'min_of(2m, range())', '1m + 30s', '3m - step()'];
    if (this.#dialect.isModern && often(this.#chance, 2)) return pick(this.#chance, modern);
    return pick(this.#chance, ['30s', '1m', '1m', '2m', '5m', '5m', '10m', '73s']);
  }

  /** `@` and `offset`, each with `percent`. */
  shifts(percent: number): string {
    const at = often(this.#chance, percent) ? ` @ ${this.#at()}` : '';
    const offset = often(this.#chance, percent)
      ? ` offset ${pick(this.#chance, ['30s', '1m', '5m', '-1m', '-45s', '17s'])}`
      : '';
    return at + offset;
  }

  #at(): string {
    const seconds = this.#chance.int(-2 * 60, DATA_MINUTES * 60);
    const fraction = this.#dialect.offGrid ? 0.4 : pick(this.#chance, [0, 0, 0.5]);
    return weighted(this.#chance, [
      [2, 'start()'],
      [2, 'end()'],
      [3, String(DATA_START / 1000 + seconds + fraction)],
    ]);
  }

  #rangeMode(func: string): string {
    if (!this.#dialect.isModern) return '';
    const smoothed = ['rate', 'increase', 'delta'].includes(func);
    const anchored = smoothed || ['resets', 'changes'].includes(func);
    if (!anchored) return often(this.#chance, 1) ? ' anchored' : '';
    return weighted(this.#chance, [
      [8, ''],
      [2, ' anchored'],
      [smoothed ? 2 : 0, ' smoothed'],
    ]);
  }

  #series(metrics: readonly string[]): string {
    const name = pick(this.#chance, metrics);
    const matchers = Array.from({ length: pick(this.#chance, [0, 0, 0, 0, 0, 1, 1, 2]) }, () =>
      this.#matcher(),
    );
    if (!/^[a-z_]+$/.test(name)) return `{"${name}"${matchers.map((text) => `, ${text}`).join('')}}`;
    if (metrics.length > 2 && this.#dialect.counters === undefined && often(this.#chance, 5))
      return `{${['__name__=~"requests_total|temperature|h"', ...matchers].join(', ')}}`;
    return matchers.length === 0 ? name : `${name}{${matchers.join(', ')}}`;
  }

  #matcher(): string {
    const label = this.labelName(['__name__', '__type__']);
    const value = pick(this.#chance, this.#dialect.labelValues);
    return weighted(this.#chance, [
      [1, `${label}="${value}"`],
      [3, `${label}!="${value}"`],
      [
        2,
        `${label}=~"${pick(this.#chance, ['.+', '.*', 'a.*', '0|1', '[0-9]+', value, 'api|db', '(?i:API)'])}"`,
      ],
      [2, `${label}!~"${pick(this.#chance, ['.+', '0|2', 'd.*', value])}"`],
    ]);
  }

  /** A label name as it is written in queries. */
  labelName(except: readonly string[] = []): string {
    const names = this.#dialect.labelNames.filter((name) => !except.includes(name));
    const name = pick(this.#chance, names);
    return /^[a-z_]+$/.test(name) ? name : `"${name}"`;
  }
}
