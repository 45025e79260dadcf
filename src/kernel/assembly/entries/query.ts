// What a query needs: decoding, window functions, groups, text. Memory is laid out by query-kernel.ts.
import { setPowers, writeFloat as writeFloatEnd } from '../json-float';
import { instantRow } from '../windows';

export { decodeSeries, openChunks, reachedChunk, reachedSamples, wantedSamples } from '../decode-series';
export { dropStale } from '../decode-xor';
export { windows } from '../windows';
export { groupAdd, groupFinish, countValues } from '../groups';
export { writeRow } from '../json-row';

const POWERS_AT: usize = 1024;
const POWERS_SIZE: usize = 617 * 16;

// Returns the first byte that is free.
export function init(): usize {
  setPowers(POWERS_AT);
  return (POWERS_AT + POWERS_SIZE + 63) & ~63;
}

export function powersAt(): usize { return POWERS_AT; }

export function instant(times: usize, values: usize, n: u32, start: f64, step: f64, steps: u32, lookback: f64, row: usize): void {
  instantRow(times, values, n, start, step, steps, lookback, row, false);
}

export function instantTimes(times: usize, values: usize, n: u32, start: f64, step: f64, steps: u32, lookback: f64, row: usize): void {
  instantRow(times, values, n, start, step, steps, lookback, row, true);
}

export function writeFloat(v: f64, out: usize): u32 { return (writeFloatEnd(v, out) - out) as u32; }
