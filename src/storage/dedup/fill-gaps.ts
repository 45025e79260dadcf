import { isStaleAt, STALE_NAN_HIGH, STALE_NAN_LOW } from '../../model/sample.ts';
import { sampleKernel } from './sample-kernel.ts';

/**
 * Deduplication by filling gaps: one replica speaks, the others only where it is silent.
 *
 * Replicas of a series are ordered (by their replica labels). The first one's samples all count. A sample y of the next one
 * counts when no counted sample lies within its reach r(y), and so on for every further replica, against all counted so far.
 *
 *   r(y) = ¾ · spacing,   spacing: how far apart samples are around y. In y's own series min(to the one before, to the one
 *                         after); among the counted samples min(between the two before y, between the two after y). The
 *                         smaller of both, and never above SPACING_MAX.
 *
 * Two replicas that scrape every s seconds with any offset have a sample of each other within s/2 < ¾s: while the first is
 * healthy the second adds nothing. Where the first misses scrapes, samples at the seam are more than ¾s and less than 2s
 * apart, so clocks that differ by less than ¾s never bring an older observation after a newer one.
 *
 * What a sample's fate depends on lies within MARGIN_MS of it per replica, and not on where a query begins or ends: read that
 * much more on both sides, and split queries give the answers of the whole.
 *
 * A staleness marker counts like a sample of no value: it is left out when a counted sample with a value follows within its
 * reach, since the series is then not gone but seen by another replica. Otherwise it stays.
 */
export const SPACING_MAX_MS = 5 * 60_000;
const REACH = 0.75;
const BURST = 1.5;

/** How much further than asked each replica beyond the first makes it necessary to read, ms. */
export const MARGIN_MS = 2 * SPACING_MAX_MS;

/** Samples of one series by time, ascending; staleness markers by the bits of their values. */
export interface Samples {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** What fills the gaps of the first replica. */
export interface Filling {
  /** Samples and markers that come to those of the first replica. */
  readonly added: Samples;
  /** Whether markers of the first replica are overruled: then `whole` is not the first replica and `added` together. */
  readonly dropsMarkers: boolean;
  /** Everything that counts, by time. */
  readonly whole: Samples;
}

/**
 * Which samples count. `counter` true makes values of filled gaps fit between the counted ones around them (`fitRun`);
 * then, and only then, values differ from the replicas'.
 */
export function fillGaps(replicas: readonly Samples[], counter: boolean): Filling {
  const values = replicas.map(withoutStale);
  let base = values[0];
  let added = NONE;
  let newest = NONE;
  for (let i = 1; i < values.length; i++) {
    if (newest !== NONE) base = mergeSamples(base, newest);
    newest = fillingOf(base, values[i], counter);
    if (newest !== NONE) added = added === NONE ? newest : mergeSamples(added, newest);
  }
  if (values.some((own, i) => own !== replicas[i]))
    return withMarkers(joined(base, newest), added, replicas, values[0] !== replicas[0]);
  return {
    added,
    dropsMarkers: false,
    // Mostly nobody asks.
    get whole() {
      return joined(base, newest);
    },
  };
}

const NONE: Samples = { timestamps: new Float64Array(0), values: new Float64Array(0) };

function joined(base: Samples, newest: Samples): Samples {
  return newest === NONE ? base : mergeSamples(base, newest);
}

function fillingOf(base: Samples, other: Samples, counter: boolean): Samples {
  // A view: the kernel is not asked again until the samples are picked and fitted.
  const chosen = sampleKernel().outOfReach(base.timestamps, other.timestamps, REACH, SPACING_MAX_MS);
  if (chosen.length === 0) return NONE;
  const filling = pick(other, chosen);
  if (counter) fitRuns(base, other, chosen, filling.values);
  return filling;
}

function pick({ timestamps, values }: Samples, places: Uint32Array): Samples {
  const picked = { timestamps: new Float64Array(places.length), values: new Float64Array(places.length) };
  const from = words(values);
  const to = words(picked.values);
  for (let i = 0; i < places.length; i++) {
    picked.timestamps[i] = timestamps[places[i]];
    copyBits(from, places[i], to, i);
  }
  return picked;
}

function own(other: Float64Array, j: number): number {
  return Math.min(gap(other, j - 1), gap(other, j));
}

function spacing(base: Float64Array, next: number, other: Float64Array, j: number): number {
  return Math.min(own(other, j), gap(base, next - 2), gap(base, next), SPACING_MAX_MS);
}

/** From sample i to the one after it; infinite when one of them is not there. */
function gap(timestamps: Float64Array, i: number): number {
  return i < 0 || i + 1 >= timestamps.length ? Number.POSITIVE_INFINITY : timestamps[i + 1] - timestamps[i];
}

/**
 * Makes counters continue over a seam. A run is what fills one gap between base samples (b₀, v₀) and (b₁, v₁).
 *
 *  – Its first value steps up from v₀ by no less than nothing and by not much more than its own replica counted since
 *    b₀ (`shiftFor`); where the step is outside (another base, a clock that is off), the run is shifted
 *    as a whole to step by that count, until its replica is reset.
 *  – When its last value is nearer to b₁, the step up to v₁ obeys that rule instead.
 *  – Its values stay at or below v₁ when the base replica was not reset in between (v₁ ≥ v₀), or after its own reset.
 *
 * So a seam never looks like a reset, and increases over it lie between those of the replicas.
 */
function fitRuns(base: Samples, other: Samples, chosen: Uint32Array, values: Float64Array): void {
  let next = 0;
  for (let from = 0; from < chosen.length; ) {
    while (next < base.timestamps.length && base.timestamps[next] < other.timestamps[chosen[from]]) next++;
    const end = next < base.timestamps.length ? base.timestamps[next] : Number.POSITIVE_INFINITY;
    let to = from + 1;
    while (to < chosen.length && other.timestamps[chosen[to]] < end) to++;
    fitRun(base, next, other, chosen, from, to, values);
    from = to;
  }
}

function fitRun(
  base: Samples,
  next: number,
  other: Samples,
  chosen: Uint32Array,
  from: number,
  to: number,
  values: Float64Array,
): void {
  const low = next > 0 ? base.values[next - 1] : Number.NaN;
  const high = next < base.timestamps.length ? base.values[next] : Number.NaN;
  let shift = runShift(base, next, other, chosen[from], chosen[to - 1]);
  let isReset = false;
  for (let i = from; i < to; i++) {
    const place = chosen[i];
    if (i > from && wasReset(other.values, chosen[i - 1], place)) {
      shift = 0;
      isReset = true;
    }
    let fitted = other.values[place] + shift;
    if (!isReset && high >= low && fitted < low) fitted = low;
    if ((isReset || !(high < low)) && fitted > high) fitted = high;
    values[i] = fitted;
  }
}

/**
 * What to add to a run between base samples `next - 1` and `next`, which begins and ends at these places of its replica:
 * what the nearer seam says, or the other when that one says nothing.
 */
function runShift(base: Samples, next: number, other: Samples, first: number, last: number): number {
  const { timestamps, values } = base;
  const around = (j: number) => spacing(timestamps, next, other.timestamps, j);
  const begins = () => seamShift(values[next - 1], timestamps[next - 1], other, first, around(first));
  const ends = () => endShift(values[next], timestamps[next], other, last, around(last));
  const endIsNearer =
    timestamps[next] - other.timestamps[last] < other.timestamps[first] - timestamps[next - 1];
  return (endIsNearer ? (ends() ?? begins()) : (begins() ?? ends())) ?? 0;
}

/** What to add to a run that begins at place `first` of its replica, after a base sample (t, low); undefined when that cannot be known. */
function seamShift(
  low: number,
  t: number,
  other: Samples,
  first: number,
  spacingMs: number,
): number | undefined {
  const last = lastAtOrBefore(other.timestamps, t, first);
  if (last === undefined || wasReset(other.values, last, first)) return undefined;
  const counted = other.values[first] - valueAt(other, last, t);
  return shiftFor(other.values[first] - low, counted, spacingMs / (other.timestamps[first] - t));
}

/** The same for a run that ends at place `last`, before a base sample (t, high). */
function endShift(
  high: number,
  t: number,
  other: Samples,
  last: number,
  spacingMs: number,
): number | undefined {
  let after = last + 1;
  while (after < other.timestamps.length && other.timestamps[after] < t) after++;
  if (after >= other.timestamps.length || wasReset(other.values, last, after)) return undefined;
  const counted = valueAt(other, after - 1, t) - other.values[last];
  const shift = shiftFor(high - other.values[last], counted, spacingMs / (t - other.timestamps[last]));
  return shift === undefined ? undefined : -shift;
}

/** On the line between samples i and i + 1. */
function valueAt({ timestamps, values }: Samples, i: number, t: number): number {
  const part = (t - timestamps[i]) / (timestamps[i + 1] - timestamps[i]);
  return values[i] + part * (values[i + 1] - values[i]);
}

/**
 * How far a step over a seam must move when the replica counted so much over the same time, which is 1 / `share` times the
 * spacing of samples. Counters come in bursts: interpolation may miss what one spacing and a half counts.
 */
function shiftFor(step: number, counted: number, share: number): number | undefined {
  if (step >= 0 && step <= counted * (1 + BURST * Math.min(1, share))) return 0;
  return Number.isFinite(counted - step) ? counted - step : undefined;
}

function lastAtOrBefore(timestamps: Float64Array, t: number, from: number): number | undefined {
  for (let i = from - 1; i >= 0; i--) if (timestamps[i] <= t) return i;
  return undefined;
}

/** Whether a counter went down between two places of its own series. */
function wasReset(values: Float64Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (values[i + 1] < values[i]) return true;
  return false;
}

/** All samples of both by time; of two with the same time the first one's. */
export function mergeSamples(a: Samples, b: Samples): Samples {
  const size = a.timestamps.length + b.timestamps.length;
  const timestamps = new Float64Array(size);
  const values = new Float64Array(size);
  const out = words(values);
  const bitsA = words(a.values);
  const bitsB = words(b.values);
  let count = 0;
  for (let x = 0, y = 0; x < a.timestamps.length || y < b.timestamps.length; count++) {
    const takesA = x < a.timestamps.length && !(b.timestamps[y] < a.timestamps[x]);
    timestamps[count] = takesA ? a.timestamps[x] : b.timestamps[y];
    if (takesA && b.timestamps[y] === a.timestamps[x]) y++;
    if (takesA) copyBits(bitsA, x++, out, count);
    else copyBits(bitsB, y++, out, count);
  }
  if (count === size) return { timestamps, values };
  return { timestamps: timestamps.subarray(0, count), values: values.subarray(0, count) };
}

/** Adds the staleness markers that no value overrules. */
function withMarkers(
  counted: Samples,
  added: Samples,
  replicas: readonly Samples[],
  firstHasMarkers: boolean,
): Filling {
  const base = counted.timestamps;
  const own = firstHasMarkers ? new Set(standingMarkers(base, replicas[0])) : NO_TIMES;
  const others = new Set<number>();
  for (const replica of replicas.slice(1))
    for (const t of standingMarkers(base, replica)) if (!own.has(t)) others.add(t);
  if (own.size === 0 && others.size === 0) return { added, dropsMarkers: firstHasMarkers, whole: counted };
  return {
    added: mergeSamples(added, markersAt(others)),
    dropsMarkers: firstHasMarkers && own.size < markerCount(replicas[0]),
    whole: mergeSamples(counted, markersAt(new Set([...own, ...others]))),
  };
}

const NO_TIMES: ReadonlySet<number> = new Set();

function markersAt(times: ReadonlySet<number>): Samples {
  const timestamps = Float64Array.from(times).sort();
  const values = new Float64Array(timestamps.length);
  const bits = words(values);
  for (let i = 0; i < timestamps.length; i++) {
    bits[2 * i] = STALE_NAN_LOW;
    bits[2 * i + 1] = STALE_NAN_HIGH;
  }
  return { timestamps, values };
}

function markerCount({ values }: Samples): number {
  return sampleKernel().countStale(values);
}

function* standingMarkers(base: Float64Array, { timestamps, values }: Samples): Generator<number> {
  const bits = words(values);
  let next = 0;
  for (let j = 0; j < timestamps.length; j++) {
    if (!isStaleAt(bits, j)) continue;
    const t = timestamps[j];
    while (next < base.length && base[next] < t) next++;
    const after = next < base.length ? base[next] - t : Number.POSITIVE_INFINITY;
    if (after > REACH * spacing(base, next, timestamps, j)) yield t;
  }
}

/** The very same samples when there is no marker among them. */
function withoutStale(samples: Samples): Samples {
  const markers = markerCount(samples);
  if (markers === 0) return samples;
  const bits = words(samples.values);
  const kept = new Uint32Array(samples.timestamps.length - markers);
  for (let i = 0, k = 0; k < kept.length; i++) if (!isStaleAt(bits, i)) kept[k++] = i;
  return pick(samples, kept);
}

function words(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
}

function copyBits(from: Uint32Array, i: number, to: Uint32Array, k: number): void {
  to[2 * k] = from[2 * i];
  to[2 * k + 1] = from[2 * i + 1];
}
