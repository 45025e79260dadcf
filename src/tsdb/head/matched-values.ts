import { type Matcher, matcherKey } from '../../model/matcher.ts';
import type { HeadIndex } from './head-index.ts';
import { SLICE_WORK, type Sliced } from './slices.ts';

/** Matchers whose values are remembered, and values remembered in all; the least recently used go first. */
const MATCHERS_MAX = 256;
const VALUES_MAX = 1_000_000;
/** New values waiting for a matcher nobody asks for any more; beyond, the matcher is forgotten. */
const UNCHECKED_MAX = 100_000;

interface Entry {
  readonly matcher: Matcher;
  readonly values: Set<string>;
  /** Values that appeared since, and how many may wait. */
  readonly unchecked: string[];
  readonly uncheckedMax: number;
  /** What this entry adds to the count of all values. */
  counted: number;
}

/**
 * Which of a label's values a matcher accepts, with memory: a regular expression runs once per distinct value, not
 * once per query. New values are noted as they appear and checked at the next use; values that have gone are
 * skipped by whoever looks them up.
 */
export class MatchedValues {
  readonly #entries = new Map<string, Entry>();
  readonly #byName = new Map<string, Set<string>>();
  #valueCount = 0;

  /** To be called for each new value of a label. */
  noteValue(name: string, value: string): void {
    for (const key of this.#byName.get(name) ?? []) {
      const entry = this.#entries.get(key) as Entry;
      if (entry.unchecked.length >= entry.uncheckedMax) this.#forget(key, entry);
      else entry.unchecked.push(value);
    }
  }

  /** The accepted values of the matcher's label; may name some that no series has any more. Owned here. */
  *of(index: HeadIndex, matcher: Matcher): Sliced<ReadonlySet<string>> {
    const key = matcherKey(matcher);
    const entry = this.#entries.get(key) ?? this.#start(key, index, matcher);
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    while (entry.unchecked.length > 0) {
      const values = entry.unchecked.splice(-SLICE_WORK / 16);
      for (const value of values) if (matcher.matches(value)) entry.values.add(value);
      if (entry.unchecked.length > 0) yield;
    }
    this.#count(key, entry);
    return entry.values;
  }

  /** Forgets everything; to be called after series were removed, whose values need not be kept. */
  clear(): void {
    this.#entries.clear();
    this.#byName.clear();
    this.#valueCount = 0;
  }

  #start(key: string, index: HeadIndex, matcher: Matcher): Entry {
    const unchecked = [...(index.values(matcher.name)?.keys() ?? [])];
    const entry: Entry = {
      matcher,
      values: new Set(),
      unchecked,
      uncheckedMax: unchecked.length + UNCHECKED_MAX,
      counted: 0,
    };
    this.#entries.set(key, entry);
    let keys = this.#byName.get(matcher.name);
    if (keys === undefined) this.#byName.set(matcher.name, (keys = new Set()));
    keys.add(key);
    return entry;
  }

  #count(key: string, entry: Entry): void {
    // Forgotten while it was being worked on: it serves its caller and is not kept.
    if (this.#entries.get(key) !== entry) return;
    this.#valueCount += entry.values.size - entry.counted;
    entry.counted = entry.values.size;
    this.#shrink(key);
  }

  #shrink(except: string): void {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= MATCHERS_MAX && this.#valueCount <= VALUES_MAX) return;
      if (key !== except) this.#forget(key, entry);
    }
  }

  #forget(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#valueCount -= entry.counted;
    const keys = this.#byName.get(entry.matcher.name);
    keys?.delete(key);
    if (keys?.size === 0) this.#byName.delete(entry.matcher.name);
  }
}
