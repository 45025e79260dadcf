// What `resume` reports, read by wasm-head-memory.ts from these places (bytes from EVENT):
//
//   0 slot   4 labels   8 label length   12 canonical   16 series start   20 series end   24 metadata start
//   28 metadata end   32 field number   36 outcome   40 offset   44 reason   48 t f64   56 v f64
//   64 samples accepted   68 duplicates     (addresses and offsets u32; start, end and offset count from the body)

import { EVENT } from './layout';

export const DONE: u32 = 0;
export const NEW_SERIES: u32 = 1;
export const RARE_SERIES: u32 = 2;
export const REFUSED_SAMPLE: u32 = 3;
export const MALFORMED: u32 = 4;
export const OTHER_FIELD: u32 = 5;
/** Not an event of the contract: memory is full. */
export const FULL: u32 = 6;
/** Go on. */
export const NONE: u32 = 7;

@inline export function setEvent(offset: u32, value: u32): void {
  store<u32>(EVENT + offset, value);
}

export function describeSample(slot: u32, outcome: u32, t: i64, v: u64): void {
  setEvent(0, slot);
  setEvent(36, outcome);
  store<f64>(EVENT, t as f64, 48);
  store<u64>(EVENT, v, 56);
}

@inline export function countSamples(accepted: u32, duplicates: u32): void {
  setEvent(64, load<u32>(EVENT, 64) + accepted);
  setEvent(68, load<u32>(EVENT, 68) + duplicates);
}
