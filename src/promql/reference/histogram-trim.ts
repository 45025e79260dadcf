import { shareBelow } from './histogram-statistics.ts';
import {
  type Bucket,
  type Counts,
  compact,
  inOrder,
  isCustom,
  negativeBucket,
  type PlainHistogram,
  positiveBucket,
} from './plain-histogram.ts';

/** What is left of a bucket, and the value that its observations are taken to have. */
interface Kept {
  readonly count: number;
  readonly middle: number;
}

/** `h </ at` keeps the observations below `at`, `h >/ at` those above. Count and sum are estimated anew if any went. */
export function trim(h: PlainHistogram, at: number, keepsLower: boolean): PlainHistogram {
  const positive = trimSide(h, h.positive, true, at, keepsLower);
  const negative = trimSide(h, h.negative, false, at, keepsLower);
  const filled = (counts: Counts) => [...counts.values()].some((count) => count !== 0);
  const zero = trimZero(h, at, keepsLower, filled(h.negative), filled(h.positive));
  if (!positive.changed && !negative.changed && zero.count === h.zeroCount) return h;
  return compact({
    ...h,
    positive: positive.counts,
    negative: negative.counts,
    zeroCount: zero.count,
    count: positive.count + negative.count + (h.zeroCount > 0 ? zero.count : 0),
    sum: positive.sum + negative.sum + (h.zeroCount > 0 ? zero.middle * zero.count : 0),
  });
}

function trimSide(h: PlainHistogram, counts: Counts, isPositive: boolean, at: number, keepsLower: boolean) {
  const result = new Map(counts);
  let [count, sum, changed] = [0, 0, false];
  for (const [index, before] of inOrder(counts)) {
    if (before === 0) continue;
    const bucket = isPositive ? positiveBucket(h, index, before) : negativeBucket(h, index, before);
    const kept = trimBucket(bucket, at, keepsLower, isPositive, isCustom(h));
    count += kept.count;
    sum += kept.middle * kept.count;
    changed ||= kept.count !== before;
    result.set(index, kept.count);
  }
  return { counts: result, count, sum, changed };
}

function trimBucket(
  bucket: Bucket,
  at: number,
  keepsLower: boolean,
  isPositive: boolean,
  isLinear: boolean,
): Kept {
  const { lower, upper, count } = bucket;
  const isWhole = keepsLower ? upper <= at : lower >= at;
  if (isWhole) return { count, middle: middleOf(lower, upper, isPositive, isLinear) };
  const isCut = keepsLower ? lower < at : upper > at;
  if (!isCut) return { count: 0, middle: 0 };
  if (lower === -Infinity) return keepsLower ? cutLowest(bucket, at) : cutLowestFromBelow(bucket, at);
  if (upper === Infinity) return cutHighest(bucket, at, keepsLower);
  const below = count * shareBelow(bucket, at, isLinear);
  return keepsLower
    ? { count: below, middle: middleOf(lower, at, isPositive, isLinear) }
    : { count: count - below, middle: middleOf(at, upper, isPositive, isLinear) };
}

/** A bucket from minus infinity begins at zero if it ends above; of what is spread over infinity nothing is known. */
function cutLowest({ upper, count }: Bucket, at: number): Kept {
  if (at >= upper) return { count, middle: 0 };
  if (at > 0 && upper > 0 && upper !== Infinity) return { count: (count * at) / upper, middle: at / 2 };
  if (upper <= 0) return { count, middle: at };
  return { count: 0, middle: finite(upper) };
}

function cutLowestFromBelow({ lower, upper, count }: Bucket, at: number): Kept {
  if (at <= lower) return { count, middle: 0 };
  if (at >= 0 && upper > at && upper !== Infinity)
    return { count: count * (1 - at / upper), middle: (at + upper) / 2 };
  return { count: 0, middle: finite(upper) };
}

function cutHighest({ lower, count }: Bucket, at: number, keepsLower: boolean): Kept {
  if (!keepsLower && at >= lower) return { count, middle: at };
  return { count: 0, middle: finite(lower) };
}

function finite(value: number): number {
  return Math.abs(value) === Infinity ? 0 : value;
}

function middleOf(lower: number, upper: number, isPositive: boolean, isLinear: boolean): number {
  if (Math.abs(lower) === Infinity) {
    if (Math.abs(upper) === Infinity) return 0;
    return upper > 0 ? upper / 2 : upper;
  }
  if (Math.abs(upper) === Infinity) return lower;
  if (isLinear) return (lower + upper) / 2;
  const middle = Math.sqrt(Math.abs(lower * upper));
  return isPositive ? middle : -middle;
}

function trimZero(
  h: PlainHistogram,
  at: number,
  keepsLower: boolean,
  hasNegative: boolean,
  hasPositive: boolean,
): Kept {
  if (!(h.zeroCount > 0)) return { count: h.zeroCount, middle: 0 };
  const lower = hasPositive && !hasNegative ? 0 : -h.zeroThreshold;
  const upper = hasNegative && !hasPositive ? 0 : h.zeroThreshold;
  const whole = { count: h.zeroCount, middle: (lower + upper) / 2 };
  const none = { count: 0, middle: 0 };
  if (at <= lower) return keepsLower ? none : whole;
  if (at >= upper) return keepsLower ? whole : none;
  return keepsLower
    ? { count: h.zeroCount * ((at - lower) / (upper - lower)), middle: (lower + at) / 2 }
    : { count: h.zeroCount * ((upper - at) / (upper - lower)), middle: (at + upper) / 2 };
}
