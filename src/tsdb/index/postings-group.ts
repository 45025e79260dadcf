/** Values of one label are counted by their place among all symbols, unless they are so much fewer than the places between them. */
const PLACES_PER_ENTRY_MAX = 4;
const PLACES_MIN = 1024;
/** So many entries are sorted by one number each; beyond it their number would not fit beside the value. */
const SORTED_MAX = 2 ** 20;

/**
 * The postings of some label names, collected in one pass over the series: 8 bytes for each label of a series. Names and values
 * are ranks of symbols.
 */
export class PostingsGroup {
  readonly #names: readonly number[];
  /** Where the entries of a name begin, by its number; then where the next one goes. */
  readonly #starts: Uint32Array;
  readonly #next: Uint32Array;
  readonly #numbers = new Map<number, number>();
  readonly #values: Uint32Array;
  readonly #refs: Uint32Array;

  /** `names` ascend; `countOf` tells how many entries each will have. */
  constructor(names: readonly number[], countOf: (name: number) => number) {
    this.#names = names;
    this.#starts = new Uint32Array(names.length + 1);
    for (const [i, name] of names.entries()) {
      this.#numbers.set(name, i);
      this.#starts[i + 1] = this.#starts[i] + countOf(name);
    }
    this.#next = this.#starts.slice();
    this.#values = new Uint32Array(this.#starts[names.length]);
    this.#refs = new Uint32Array(this.#starts[names.length]);
  }

  /** The label of the next series; one of another name is passed over. Refs ascend. */
  add(name: number, value: number, ref: number): void {
    const number = this.#numbers.get(name);
    if (number === undefined) return;
    const at = this.#next[number]++;
    this.#values[at] = value;
    this.#refs[at] = ref;
  }

  /** Whether every name got as many entries as were told. */
  get isComplete(): boolean {
    return this.#names.every((_, i) => this.#next[i] === this.#starts[i + 1]);
  }

  /** The lists ordered by name and value; refs are a view that is valid until the next one. */
  *lists(): Generator<PostingsOfLabel> {
    for (const [i, name] of this.#names.entries()) {
      if (this.#starts[i] === this.#starts[i + 1]) continue;
      const values = this.#values.subarray(this.#starts[i], this.#starts[i + 1]);
      const refs = this.#refs.subarray(this.#starts[i], this.#starts[i + 1]);
      for (const { value, refs: list } of byValue(values, refs)) yield { name, value, refs: list };
    }
  }
}

export interface PostingsOfLabel {
  readonly name: number;
  readonly value: number;
  readonly refs: Uint32Array;
}

function byValue(values: Uint32Array, refs: Uint32Array): Generator<Omit<PostingsOfLabel, 'name'>> {
  let least = 2 ** 32;
  let most = 0;
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const places = most - least + 1;
  const isDense = places <= Math.max(PLACES_MIN, PLACES_PER_ENTRY_MAX * values.length);
  return isDense || values.length > SORTED_MAX
    ? counted(values, refs, least, places)
    : sorted(values, refs, least);
}

function* counted(values: Uint32Array, refs: Uint32Array, least: number, places: number) {
  const next = new Uint32Array(places + 1);
  for (const value of values) next[value - least + 1]++;
  for (let i = 0; i < places; i++) next[i + 1] += next[i];
  const ordered = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) ordered[next[values[i] - least]++] = refs[i];
  // Each place is now where the list of the next one begins.
  for (let i = 0, start = 0; i < places; start = next[i++])
    if (next[i] > start) yield { value: least + i, refs: ordered.subarray(start, next[i]) };
}

function* sorted(values: Uint32Array, refs: Uint32Array, least: number) {
  const count = values.length;
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) keys[i] = (values[i] - least) * count + i;
  keys.sort();
  const list = new Uint32Array(count);
  for (let from = 0; from < count; ) {
    const value = Math.floor(keys[from] / count);
    let to = from;
    for (; to < count && keys[to] < (value + 1) * count; to++)
      list[to - from] = refs[keys[to] - value * count];
    yield { value: least + value, refs: list.subarray(0, to - from) };
    from = to;
  }
}

const PIECE = 65_536;

/** Where postings lists are in the file, by label; 16 bytes each, in pieces that are never moved. */
export class PostingsPlaces {
  readonly #labels: Uint32Array[] = [];
  readonly #offsets: Float64Array[] = [];
  count = 0;

  push(name: number, value: number, offset: number): void {
    const at = this.count++ % PIECE;
    if (at === 0) {
      this.#labels.push(new Uint32Array(2 * PIECE));
      this.#offsets.push(new Float64Array(PIECE));
    }
    const labels = this.#labels[this.#labels.length - 1];
    labels[2 * at] = name;
    labels[2 * at + 1] = value;
    this.#offsets[this.#offsets.length - 1][at] = offset;
  }

  nameAt(i: number): number {
    return this.#labels[Math.floor(i / PIECE)][2 * (i % PIECE)];
  }

  valueAt(i: number): number {
    return this.#labels[Math.floor(i / PIECE)][2 * (i % PIECE) + 1];
  }

  offsetAt(i: number): number {
    return this.#offsets[Math.floor(i / PIECE)][i % PIECE];
  }
}
