import type { Element } from './rows.ts';

export type FloatElement = Element & { readonly point: number };

type Worse = (a: number, b: number) => boolean;

/**
 * The k best elements, the best first, NaN last. Which of several equal ones stay depends on how they are kept, so this is
 * the heap of Prometheus: its worst element is on top, and only a better one takes its place.
 */
export function best(elements: readonly FloatElement[], k: number, worse: Worse): FloatElement[] {
  const isBelow = (a: FloatElement, b: FloatElement) => Number.isNaN(a.point) || worse(a.point, b.point);
  const heap: FloatElement[] = [];
  for (const element of elements) {
    if (heap.length < k) {
      heap.push(element);
      rise(heap, isBelow);
    } else if (
      worse(heap[0].point, element.point) ||
      (Number.isNaN(heap[0].point) && !Number.isNaN(element.point))
    ) {
      heap[0] = element;
      sink(heap, isBelow);
    }
  }
  return heap.sort((a, b) =>
    isBelow(b, a) && !isBelow(a, b) ? -1 : isBelow(a, b) && !isBelow(b, a) ? 1 : 0,
  );
}

function rise(heap: FloatElement[], isBelow: (a: FloatElement, b: FloatElement) => boolean): void {
  let at = heap.length - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBelow(heap[at], heap[parent])) return;
    [heap[at], heap[parent]] = [heap[parent], heap[at]];
    at = parent;
  }
}

function sink(heap: FloatElement[], isBelow: (a: FloatElement, b: FloatElement) => boolean): void {
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) return;
    if (child + 1 < heap.length && isBelow(heap[child + 1], heap[child])) child++;
    if (!isBelow(heap[child], heap[at])) return;
    [heap[at], heap[child]] = [heap[child], heap[at]];
    at = child;
  }
}
