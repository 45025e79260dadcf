/**
 * The staleness marker is one NaN among many, known by its bits: 0x7ff0000000000002.
 * A JavaScript number may lose the bits of a NaN; code that must tell stale from NaN looks at
 * the raw words (`isStaleAt`), never at a number that has travelled through arithmetic.
 */
export const STALE_NAN_HIGH = 0x7ff00000;
export const STALE_NAN_LOW = 0x00000002;
export const STALE_NAN_BITS = 0x7ff0000000000002n;

/** Prometheus' other NaN, what `math.NaN()` stores: 0x7ff8000000000001. */
export const NORMAL_NAN_BITS = 0x7ff8000000000001n;

/** Whether value `index` of a Float64Array, seen through `words` (a Uint32Array on the same bytes, little endian), is stale. */
export function isStaleAt(words: Uint32Array, index: number): boolean {
  return words[2 * index + 1] === STALE_NAN_HIGH && words[2 * index] === STALE_NAN_LOW;
}

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** Whether a number that came straight out of a typed array is the staleness marker. */
export function isStale(value: number): boolean {
  if (!Number.isNaN(value)) return false;
  scratch[0] = value;
  return isStaleAt(scratchWords, 0);
}

/** The staleness marker as a number; store it at once. */
export const STALE_NAN: number = new Float64Array(new BigUint64Array([STALE_NAN_BITS]).buffer)[0];

/** Prometheus' other NaN as a number; store it at once. */
export const NORMAL_NAN: number = new Float64Array(new BigUint64Array([NORMAL_NAN_BITS]).buffer)[0];

/** A float sample: time in milliseconds since the epoch, and a value. */
export interface Sample {
  readonly t: number;
  readonly v: number;
}
