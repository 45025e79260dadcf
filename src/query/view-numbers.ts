/** Views that a thread keeps. */
const VIEWS_MAX = 256;

/** How a view is named to a thread. */
export interface NamedView {
  readonly number: number;
  /** Whether the thread does not know it yet. */
  readonly isNew: boolean;
  /** A view that it may forget. */
  readonly dropped: number | undefined;
}

/** Which views one query thread has been told, so that a query names its view by a number. Views are told apart by identity. */
export class ViewNumbers {
  /** The least recently used first. */
  readonly #numbers = new Map<unknown, number>();
  #last = 0;

  of(view: unknown): NamedView {
    const known = this.#numbers.get(view);
    if (known !== undefined) {
      this.#numbers.delete(view);
      this.#numbers.set(view, known);
      return { number: known, isNew: false, dropped: undefined };
    }
    this.#numbers.set(view, ++this.#last);
    return { number: this.#last, isNew: true, dropped: this.#drop() };
  }

  #drop(): number | undefined {
    if (this.#numbers.size <= VIEWS_MAX) return undefined;
    const [[view, number]] = this.#numbers;
    this.#numbers.delete(view);
    return number;
  }
}
