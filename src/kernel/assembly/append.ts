// One sample into the chunk of its series: judged, chunks cut, appended, logged.

import { entryClosed, entryWalRef } from './label-arena';
import { logReady, growLog, logSample } from './samples-log';
import { closeChunk, closedReady, growClosed } from './closed';
import { nodeMaxt, poolsReady, refillPools } from './pools';
import {
  HAS_LAST, RARE, USED, VALUE_UNKNOWN, entryOf, flagsOf, lastTime, lastValue, mintOf, sampleCount, setFlags,
} from './record';
import { appendXor } from './xor';

/** As SampleOutcome. */
export const OK: u32 = 0;
export const DUPLICATE: u32 = 1;
export const OUT_OF_ORDER: u32 = 2;
export const DUPLICATE_VALUE: u32 = 3;
export const OUT_OF_BOUNDS: u32 = 4;
export const TOO_FAR: u32 = 5;
export const IS_RARE: u32 = 6;
/** Not an outcome of the contract: memory is full, nothing was changed. */
export const NO_ROOM: u32 = 7;

const TIME_MAX: i64 = (1 << 53) - 1;
const SAMPLES_PER_CHUNK: u32 = 120;
/** With fewer chunks in a range, longer ones would hold more samples than they save. */
const STAGGERED_CHUNKS_MIN: i64 = 3;
/** As a fraction of 2³². */
const GOLDEN_RATIO: u64 = 0x9e3779b9;

let chunkRange: i64 = 0;
let minValid: i64 = -TIME_MAX;
let maxValid: i64 = TIME_MAX;
export let headMint: i64 = i64.MAX_VALUE;
export let headMaxt: i64 = i64.MIN_VALUE;

export function setChunkRange(range: u32): void {
  chunkRange = range as i64;
}

/** Bounds as numbers, infinite ones included. */
export function setBounds(min: f64, max: f64): void {
  minValid = clampTime(Math.ceil(min));
  maxValid = clampTime(Math.floor(max));
}

function clampTime(t: f64): i64 {
  if (t >= (TIME_MAX as f64)) return TIME_MAX;
  return t <= -(TIME_MAX as f64) ? -TIME_MAX : (t as i64);
}

export function resetRange(): void {
  headMint = i64.MAX_VALUE;
  headMaxt = i64.MIN_VALUE;
}

@inline export function widenRange(mint: i64, maxt: i64): void {
  if (mint < headMint) headMint = mint;
  if (maxt > headMaxt) headMaxt = maxt;
}

@inline function roomForSample(): bool {
  return (poolsReady() && closedReady()) || makeRoom();
}

/** Room for one sample or one closed chunk; false when memory is full. */
export function makeRoom(): bool {
  return (poolsReady() || refillPools()) && (closedReady() || growClosed());
}

/** Appends and logs one sample; an outcome, or NO_ROOM. */
@inline export function appendSample(rec: u32, t: i64, v: u64): u32 {
  let flags = flagsOf(rec);
  if ((flags & RARE) != 0) return IS_RARE;
  if (t > maxValid) return t > TIME_MAX ? OUT_OF_BOUNDS : TOO_FAR;
  if (t < minValid) return OUT_OF_BOUNDS;
  if ((flags & HAS_LAST) != 0 && t <= lastTime(rec)) {
    if (t < lastTime(rec)) return OUT_OF_ORDER;
    return (flags & VALUE_UNKNOWN) != 0 || lastValue(rec) == v ? DUPLICATE : DUPLICATE_VALUE;
  }
  if (!roomForSample() || !(logReady() || growLog())) return NO_ROOM;
  storeSample(rec, t, v);
  logSample(entryWalRef(entryOf(rec)), t, v);
  return OK;
}

/** What replay does with a sample: NO_ROOM, OK, IS_RARE, or OUT_OF_ORDER for all that is passed over. */
@inline export function replaySample(rec: u32, t: i64, v: u64): u32 {
  let flags = flagsOf(rec);
  if ((flags & RARE) != 0) return IS_RARE;
  if (t > TIME_MAX || t < minValid || ((flags & HAS_LAST) != 0 && t <= lastTime(rec))) return OUT_OF_ORDER;
  if (!roomForSample()) return NO_ROOM;
  storeSample(rec, t, v);
  return OK;
}

@inline function storeSample(rec: u32, t: i64, v: u64): void {
  let count = sampleCount(rec);
  if (count != 0) {
    if (count == SAMPLES_PER_CHUNK / 4) planEnd(rec);
    if (t >= mintOf(rec) + (load<u32>(rec, 20) as i64) || count >= 2 * SAMPLES_PER_CHUNK) {
      closeChunk(rec);
      count = 0;
    }
  }
  if (count == 0) {
    store<u32>(rec, rangeRest(t), 20);
    setFlags(rec, USED | HAS_LAST | (flagsOf(rec) & ~VALUE_UNKNOWN));
  }
  appendXor(rec, t, v);
  widenRange(t, t);
}

/** ms from `t` to the end of its chunk range. */
function rangeRest(t: i64): u32 {
  let rest = t % chunkRange;
  return (chunkRange - (rest < 0 ? rest + chunkRange : rest)) as u32;
}

/**
 * Once a quarter of a chunk has shown how fast samples come, plans its end. Prometheus spreads the range evenly over its
 * `count` chunks, so that all series close theirs at once, full. Here they close at times of their own: the first of a range
 * after what has passed and a part of a length that depends on the series, those after it at that length, the last at the
 * end of the range. These are as many chunks, and at any time half as long on average as the longest.
 */
function planEnd(rec: u32): void {
  let rest = load<u32>(rec, 20) as i64;
  let passed = lastTime(rec) - mintOf(rec) + 1;
  let usual = passed * 4;
  let count = chunkRange / usual;
  if (count < STAGGERED_CHUNKS_MIN) {
    let chunks = rest / usual;
    if (chunks > 1) store<u32>(rec, (rest / chunks) as u32, 20);
    return;
  }
  let length = chunkRange / (count - 1);
  let entry = entryOf(rec);
  if (isFirstInRange(entryClosed(entry), mintOf(rec) + rest - chunkRange)) length = passed + partOf(length, entryWalRef(entry));
  store<u32>(rec, min(length, rest) as u32, 20);
}

@inline function isFirstInRange(newestClosed: u32, rangeStart: i64): bool {
  return newestClosed == 0 || nodeMaxt(newestClosed) < rangeStart;
}

/** Successive numbers of series get parts that lie evenly between nothing and all of it. */
@inline function partOf(length: i64, walRef: u64): i64 {
  return (length * (((walRef * GOLDEN_RATIO) & 0xffffffff) as i64)) >> 32;
}
