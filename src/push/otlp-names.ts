import { VeronaError } from '../model/errors.ts';

/**
 * Prometheus' ways to make its names out of OpenTelemetry's (`otlp.translation_strategy`): whether characters outside
 * `[a-zA-Z0-9_:]` become underscores, and whether unit and type are appended (`_seconds`, `_total`, `_ratio`).
 */
export type TranslationStrategy =
  | 'UnderscoreEscapingWithSuffixes'
  | 'UnderscoreEscapingWithoutSuffixes'
  | 'NoUTF8EscapingWithSuffixes'
  | 'NoTranslation';

/** What of a metric's kind decides its name. */
export type NameKind = 'gauge' | 'counter' | 'other';

const UNITS: ReadonlyMap<string, string> = new Map([
  ['d', 'days'],
  ['h', 'hours'],
  ['min', 'minutes'],
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['us', 'microseconds'],
  ['ns', 'nanoseconds'],
  ['By', 'bytes'],
  ['KiBy', 'kibibytes'],
  ['MiBy', 'mebibytes'],
  ['GiBy', 'gibibytes'],
  ['TiBy', 'tibibytes'],
  ['KBy', 'kilobytes'],
  ['MBy', 'megabytes'],
  ['GBy', 'gigabytes'],
  ['TBy', 'terabytes'],
  ['m', 'meters'],
  ['V', 'volts'],
  ['A', 'amperes'],
  ['J', 'joules'],
  ['W', 'watts'],
  ['g', 'grams'],
  ['Cel', 'celsius'],
  ['Hz', 'hertz'],
  ['1', ''],
  ['%', 'percent'],
]);

const PER_UNITS: ReadonlyMap<string, string> = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
]);

/** Makes Prometheus' names of metrics, labels and units. */
export class Namer {
  readonly #escapes: boolean;
  readonly #addsSuffixes: boolean;

  constructor(strategy: TranslationStrategy) {
    this.#escapes = strategy.startsWith('Underscore');
    this.#addsSuffixes = strategy.endsWith('WithSuffixes');
  }

  /** Throws `bad_data` when nothing of the name is left. */
  metricName(name: string, unit: string, kind: NameKind): string {
    const built = this.#escapes ? this.#escapedName(name, unit, kind) : this.#plainName(name, unit, kind);
    if (built === '' || (built !== name && /^_+$/.test(built)))
      throw new VeronaError('bad_data', `metric name ${JSON.stringify(name)} has nothing that can be kept`);
    return built;
  }

  /** Throws `bad_data` when nothing of the name is left. */
  labelName(name: string): string {
    if (!this.#escapes && name !== '') return name;
    let built = name.replace(/[^a-zA-Z0-9_]/gu, '_');
    if (/^\d/.test(built)) built = `key_${built}`;
    else if (/^_(?!_)/.test(built)) built = `key${built}`;
    if (built === '' || (built !== name && /^_+$/.test(built)))
      throw new VeronaError('bad_data', `attribute ${JSON.stringify(name)} has nothing that can be kept`);
    return built;
  }

  /** `By/s` → `bytes_per_second` */
  unitName(unit: string): string {
    const { main, per } = this.#unitParts(unit);
    return [main, per].filter(Boolean).join('_').replace(/^_|_$/g, '');
  }

  #escapedName(name: string, unit: string, kind: NameKind): string {
    const separator = this.#addsSuffixes ? /[^a-zA-Z0-9:]+/u : /[^a-zA-Z0-9:_]+/u;
    let tokens = name.split(separator).filter(Boolean);
    if (this.#addsSuffixes) {
      tokens = withUnit(tokens, this.#unitParts(unit));
      if (kind === 'counter') tokens = [...tokens.filter((token) => token !== 'total'), 'total'];
      if (kind === 'gauge' && unit === '1')
        tokens = [...tokens.filter((token) => token !== 'ratio'), 'ratio'];
    }
    const built = tokens.join('_');
    return /^\d/.test(built) ? `_${built}` : built;
  }

  #plainName(name: string, unit: string, kind: NameKind): string {
    if (!this.#addsSuffixes) return name;
    const { main, per } = this.#unitParts(unit);
    const outer = kind === 'counter' ? 'total' : kind === 'gauge' && unit === '1' ? 'ratio' : '';
    let built = withoutSuffix(withoutSuffix(name, outer), per);
    if (main !== '' && !built.endsWith(main)) built += `_${main}`;
    if (per !== '') built += `_${per}`;
    return outer === '' ? built : `${built}_${outer}`;
  }

  /** The unit's words; annotations in braces (`{request}`) are none. */
  #unitParts(unit: string): { main: string; per: string } {
    const slash = unit.indexOf('/');
    const main = word(slash < 0 ? unit : unit.slice(0, slash), UNITS);
    const per = slash < 0 ? '' : word(unit.slice(slash + 1), PER_UNITS);
    const clean = (text: string) =>
      this.#escapes
        ? text
            .replace(/[^a-zA-Z0-9:]/gu, '_')
            .replace(/__+/g, '_')
            .replace(/^_/, '')
        : text;
    return { main: clean(main), per: per === '' ? '' : clean(`per_${per}`) };
  }
}

function word(unit: string, words: ReadonlyMap<string, string>): string {
  const trimmed = unit.trim();
  return /[{}]/.test(trimmed) ? '' : (words.get(trimmed) ?? trimmed);
}

/** Adds the words of a unit that the name does not have yet. */
function withUnit(tokens: readonly string[], unit: { main: string; per: string }): string[] {
  const per = unit.per === 'per_' ? '' : unit.per.replace(/_$/, '');
  const addsPer = per !== '' && !tokens.includes(per);
  let main = tokens.includes(unit.main) ? '' : unit.main;
  if (addsPer) main = main.replace(/_$/, '');
  return [...tokens, ...(main === '' ? [] : [main]), ...(addsPer ? [per] : [])];
}

/** Without a suffix and the delimiter before it. */
function withoutSuffix(name: string, suffix: string): string {
  return suffix !== '' && name.endsWith(suffix) && name.length > suffix.length + 1
    ? name.slice(0, -(suffix.length + 1))
    : name;
}
