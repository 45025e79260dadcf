/**
 * Long work on the thread that also takes writes is a generator: each `yield` is a point where the event loop may
 * turn. One slice is at most about this many comparisons of labels, some milliseconds.
 */
export const SLICE_WORK = 16_384;

export type Sliced<T> = Generator<void, T>;

/** Runs sliced work to its end at once; for small inputs, tests and replay. */
export function runAtOnce<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** Runs sliced work, letting the event loop turn between slices. */
export async function runYielding<T>(work: Sliced<T>, turn: () => Promise<void>): Promise<T> {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    await turn();
  }
}
