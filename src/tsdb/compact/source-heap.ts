import { compareRanks } from '../index/index-writer.ts';
import type { MergeSource } from './merge-source.ts';

/** Sources by the labels they stand on, then by their place in the list of sources; a binary heap. */
export class SourceHeap {
  readonly #heap: MergeSource[] = [];

  constructor(sources: readonly MergeSource[]) {
    for (const source of sources) if (source.next()) this.push(source);
  }

  get size(): number {
    return this.#heap.length;
  }

  push(source: MergeSource): void {
    const heap = this.#heap;
    let i = heap.push(source) - 1;
    while (i > 0 && this.#compare(i, (i - 1) >> 1) < 0) {
      this.#swap(i, (i - 1) >> 1);
      i = (i - 1) >> 1;
    }
  }

  /** All sources on the least labels, into `into`, in the order of the list. */
  popEqual(into: MergeSource[]): void {
    into.length = 0;
    into.push(this.#pop());
    const { cursor } = into[0];
    while (this.#heap.length > 0) {
      const next = this.#heap[0].cursor;
      if (compareRanks(next.labels, 2 * next.labelCount, cursor.labels, 2 * cursor.labelCount) !== 0) return;
      into.push(this.#pop());
    }
  }

  #pop(): MergeSource {
    const heap = this.#heap;
    this.#swap(0, heap.length - 1);
    const source = heap.pop() as MergeSource;
    for (let i = 0; ; ) {
      let child = 2 * i + 1;
      if (child >= heap.length) return source;
      if (child + 1 < heap.length && this.#compare(child + 1, child) < 0) child++;
      if (this.#compare(i, child) <= 0) return source;
      this.#swap(i, child);
      i = child;
    }
  }

  #compare(i: number, j: number): number {
    const a = this.#heap[i];
    const b = this.#heap[j];
    const x = a.cursor;
    const y = b.cursor;
    return (
      compareRanks(x.labels, 2 * x.labelCount, y.labels, 2 * y.labelCount) || a.place.order - b.place.order
    );
  }

  #swap(i: number, j: number): void {
    [this.#heap[i], this.#heap[j]] = [this.#heap[j], this.#heap[i]];
  }
}
