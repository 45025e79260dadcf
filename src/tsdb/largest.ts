interface Kept<T> {
  readonly value: number;
  readonly name: string;
  readonly item: T;
}

/** The largest of many items by a number, then by name, without keeping all of them. */
export class Largest<T> {
  readonly #top: number;
  #kept: Kept<T>[] = [];
  #least = Number.NEGATIVE_INFINITY;

  constructor(top: number) {
    this.#top = top;
  }

  /** `item` is made only when it may be among the largest. */
  add(value: number, name: string, item: () => T): void {
    if (value < this.#least) return;
    this.#kept.push({ value, name, item: item() });
    if (this.#kept.length >= 4 * this.#top + 16) this.#trim();
  }

  /** The largest first. */
  list(): T[] {
    this.#trim();
    return this.#kept.map(({ item }) => item);
  }

  #trim(): void {
    this.#kept = this.#kept
      .sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1))
      .slice(0, this.#top);
    const last = this.#kept.at(-1);
    this.#least = this.#kept.length >= this.#top && last ? last.value : Number.NEGATIVE_INFINITY;
  }
}
