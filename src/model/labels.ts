export const METRIC_NAME = '__name__';

/**
 * Orders strings by Unicode code point, which is the order of their UTF-8 bytes and of Go's strings.
 * JavaScript's `<` orders by UTF-16 unit and differs where surrogates meet U+E000–U+FFFF.
 */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) {
      const xSurrogate = x >= 0xd800 && x <= 0xdfff;
      const ySurrogate = y >= 0xd800 && y <= 0xdfff;
      return xSurrogate === ySurrogate ? x - y : xSurrogate ? 1 : -1;
    }
  }
  return a.length - b.length;
}

/** A label set: sorted by name, names unique, no empty value. Immutable. */
export class Labels {
  static readonly empty = new Labels([]);

  /** name, value, name, value … sorted by name. Owned by this object. */
  readonly flat: readonly string[];

  private constructor(flat: readonly string[]) {
    this.flat = flat;
  }

  /** From pairs already sorted, unique and without empty values. */
  static fromSorted(flat: readonly string[]): Labels {
    return flat.length === 0 ? Labels.empty : new Labels(flat);
  }

  /** From pairs in any order; later ones win, empty values vanish. */
  static from(pairs: Iterable<readonly [string, string]> | Readonly<Record<string, string>>): Labels {
    const entries = Symbol.iterator in pairs ? pairs : Object.entries(pairs);
    const byName = new Map<string, string>(entries as Iterable<readonly [string, string]>);
    const flat: string[] = [];
    for (const name of [...byName.keys()].sort(compareStrings)) {
      const value = byName.get(name) as string;
      if (value !== '') flat.push(name, value);
    }
    return Labels.fromSorted(flat);
  }

  get size(): number {
    return this.flat.length / 2;
  }

  /** The value of a label; the empty string when absent, as PromQL has it. */
  get(name: string): string {
    const { flat } = this;
    for (let i = 0; i < flat.length; i += 2) if (flat[i] === name) return flat[i + 1];
    return '';
  }

  has(name: string): boolean {
    return this.get(name) !== '';
  }

  *[Symbol.iterator](): Generator<[string, string]> {
    for (let i = 0; i < this.flat.length; i += 2) yield [this.flat[i], this.flat[i + 1]];
  }

  /** The set with some labels changed; an empty value removes one. */
  with(changes: Readonly<Record<string, string>>): Labels {
    return Labels.from([...this, ...Object.entries(changes)]);
  }

  /** Only the named labels. */
  keep(names: ReadonlySet<string>): Labels {
    return this.#filter((name) => names.has(name));
  }

  /** All but the named labels. */
  drop(names: ReadonlySet<string>): Labels {
    return this.#filter((name) => !names.has(name));
  }

  #filter(wanted: (name: string) => boolean): Labels {
    const kept: string[] = [];
    for (let i = 0; i < this.flat.length; i += 2)
      if (wanted(this.flat[i])) kept.push(this.flat[i], this.flat[i + 1]);
    return kept.length === this.flat.length ? this : Labels.fromSorted(kept);
  }

  /** Equal sets have equal keys and only they; not for display. */
  key(): string {
    return this.flat.join('\xff');
  }

  equals(other: Labels): boolean {
    if (this === other) return true;
    if (this.flat.length !== other.flat.length) return false;
    return this.flat.every((text, i) => text === other.flat[i]);
  }

  /** Prometheus' text form, `{__name__="up", job="x"}`. */
  toString(): string {
    const parts: string[] = [];
    for (const [name, value] of this) parts.push(`${quoteName(name)}=${JSON.stringify(value)}`);
    return `{${parts.join(', ')}}`;
  }

  toJSON(): Record<string, string> {
    const object = Object.create(null) as Record<string, string>;
    for (const [name, value] of this) object[name] = value;
    return object;
  }
}

function quoteName(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : JSON.stringify(name);
}

/** Prometheus' order of label sets: pair by pair, name then value, the shorter first. */
export function compareLabels(a: Labels, b: Labels): number {
  const length = Math.min(a.flat.length, b.flat.length);
  for (let i = 0; i < length; i++) {
    const order = compareStrings(a.flat[i], b.flat[i]);
    if (order !== 0) return order;
  }
  return a.flat.length - b.flat.length;
}
