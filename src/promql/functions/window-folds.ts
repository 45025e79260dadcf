import { KahanSum } from './kahan.ts';
import { RunningMean } from './running-mean.ts';

/**
 * A function of a window that takes its floats one by one, in order of time, and keeps a few numbers instead of the floats.
 * The result has the same bits as that of the function over the whole window.
 */
export interface WindowFold {
  /** Numbers kept per window; how many floats there were comes first. */
  readonly size: number;
  /** Takes a float into the state at `state[at] …`, which is all zeros before the first one. */
  add(state: Float64Array, at: number, v: number): void;
  finish(state: Float64Array, at: number): number;
}

const kahan = new KahanSum();
const mean = new RunningMean();

/** Keeps one float: the first, or what `isBetter` than the one kept. */
function keeping(isBetter: (v: number, kept: number) => boolean): WindowFold {
  return {
    size: 2,
    add(state, at, v) {
      if (state[at]++ === 0 || isBetter(v, state[at + 1])) state[at + 1] = v;
    },
    finish: (state, at) => state[at + 1],
  };
}

const COUNT: WindowFold = {
  size: 1,
  add: (state, at) => {
    state[at]++;
  },
  finish: (state, at) => state[at],
};

/** By the name of the function, of those that can. */
export const WINDOW_FOLDS: Readonly<Record<string, WindowFold>> = {
  count_over_time: COUNT,
  present_over_time: { ...COUNT, finish: () => 1 },
  first_over_time: keeping(() => false),
  last_over_time: keeping(() => true),
  max_over_time: keeping((v, kept) => v > kept || Number.isNaN(kept)),
  min_over_time: keeping((v, kept) => v < kept || Number.isNaN(kept)),
  sum_over_time: {
    size: 3,
    add(state, at, v) {
      kahan.sum = state[at + 1];
      kahan.c = state[at + 2];
      kahan.add(v);
      state[at]++;
      state[at + 1] = kahan.sum;
      state[at + 2] = kahan.c;
    },
    finish: (state, at) =>
      Math.abs(state[at + 1]) === Number.POSITIVE_INFINITY ? state[at + 1] : state[at + 1] + state[at + 2],
  },
  avg_over_time: {
    size: 5,
    add(state, at, v) {
      mean.load(state, at);
      mean.add(v);
      mean.store(state, at);
    },
    finish(state, at) {
      mean.load(state, at);
      return mean.value;
    },
  },
};
