import { type Matcher, matcherKey } from '../../model/matcher.ts';

/** Selections remembered, the slots in one, and in all of them together: 256 KiB. */
const SELECTS_MAX = 512;
const SLOTS_MAX = 4096;
const ALL_SLOTS_MAX = 65_536;

/**
 * The slots that small selections found, for as long as the head has the same series: dashboards ask for the same few
 * series again and again, and finding one of them among 2,000 takes longer than reading it.
 */
export class RememberedSelects {
  /** The least recently used first. */
  readonly #known = new Map<string, Uint32Array>();
  #slotCount = 0;
  #version = 0;

  /** Changes whenever the head has other series: what was selected before may be incomplete. */
  get version(): number {
    return this.#version;
  }

  /** To be called when a series is made, and before and after some are collected. */
  forgetAll(): void {
    this.#version++;
    if (this.#known.size === 0) return;
    this.#known.clear();
    this.#slotCount = 0;
  }

  /** A fresh array; undefined when it is not known. */
  of(matchers: readonly Matcher[]): Uint32Array | undefined {
    const key = keyOf(matchers);
    const slots = this.#known.get(key);
    if (slots === undefined) return undefined;
    this.#known.delete(key);
    this.#known.set(key, slots);
    return slots.slice();
  }

  /** Keeps a copy of what a selection found that began at this version. */
  keep(matchers: readonly Matcher[], slots: Uint32Array, version: number): void {
    if (version !== this.#version || slots.length > SLOTS_MAX) return;
    const key = keyOf(matchers);
    this.#forget(key);
    this.#known.set(key, slots.slice());
    this.#slotCount += slots.length;
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= SELECTS_MAX && this.#slotCount <= ALL_SLOTS_MAX) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#slotCount -= this.#known.get(key)?.length ?? 0;
    this.#known.delete(key);
  }
}

function keyOf(matchers: readonly Matcher[]): string {
  let key = '';
  for (const matcher of matchers) key += matcherKey(matcher);
  return key;
}
