import { wasmBase64 } from './gen/head.ts';
import { compileWasm, instantiateWasm } from './wasm-module.ts';

/** What `assembly/entries/head.ts` exports. Addresses are unsigned: use `>>> 0`. Slots are checked by the caller with `isSlot`. */
export interface HeadExports {
  readonly memory: WebAssembly.Memory;
  readonly snappyOffset: WebAssembly.Global<'i32'>;
  readonly decodedLength: WebAssembly.Global<'i32'>;
  readonly applied: WebAssembly.Global<'i32'>;
  readonly replayOffset: WebAssembly.Global<'i32'>;
  readonly replayRare: WebAssembly.Global<'i32'>;
  readonly skipped: WebAssembly.Global<'i32'>;
  readonly unknownRefs: WebAssembly.Global<'i32'>;
  readonly labelTotal: WebAssembly.Global<'f64'>;
  readonly chunkTotal: WebAssembly.Global<'f64'>;
  readonly dataTotal: WebAssembly.Global<'f64'>;
  readonly labelsAt: WebAssembly.Global<'i32'>;
  readonly labelEndsAt: WebAssembly.Global<'i32'>;
  readonly chunkEndsAt: WebAssembly.Global<'i32'>;
  readonly mintsAt: WebAssembly.Global<'i32'>;
  readonly maxtsAt: WebAssembly.Global<'i32'>;
  readonly refsAt: WebAssembly.Global<'i32'>;
  readonly lengthsAt: WebAssembly.Global<'i32'>;
  readonly dataAt: WebAssembly.Global<'i32'>;
  init(chunkRange: number, hashSeed: number, pagesMax: number): number;
  input(size: number): number;
  inputCapacity(): number;
  bodyAt(): number;
  logAt(): number;
  closedAt(): number;
  outAt(): number;
  seriesCount(): number;
  labelBytes(): number;
  recordBytes(): number;
  tableBytes(): number;
  blockBytes(): number;
  nodeBytes(): number;
  find(length: number): number;
  create(length: number, walRef: number): number;
  isSlot(slot: number): number;
  labelsOf(slot: number): number;
  labelsLengthOf(slot: number): number;
  walRefOf(slot: number): number;
  lastTimeOf(slot: number): number;
  isRare(slot: number): number;
  setRare(slot: number, rare: number): void;
  sort(count: number): number;
  setBounds(min: number, max: number): void;
  append(slot: number, t: number, v: number): number;
  appendStale(slot: number, t: number): number;
  begin(length: number, decodedMax: number, isV2: number): number;
  resume(): number;
  adopt(slot: number): number;
  adoptNew(walRef: number): number;
  takeLog(): number;
  mapWalRef(walRef: number, slot: number): number;
  endReplay(): void;
  replay(length: number): number;
  setChunkFilePosition(sequence: number, offset: number): void;
  closedPending(): number;
  takeClosed(): number;
  addClosedChunk(slot: number, ref: number, mint: number, maxt: number): number;
  closeOpenChunk(slot: number): number;
  measureSlots(from: number, to: number, mint: number, maxt: number, newest: boolean): number;
  gatherSlots(from: number, to: number, mint: number, maxt: number, newest: boolean): number;
  mint(): number;
  maxt(): number;
  truncate(mint: number): number;
  collect(slot: number): number;
  isEmpty(slot: number): number;
  reuseCollected(): void;
}

/** Where `assembly/event.ts` puts what `resume` reports; offsets in bytes from here. */
export const EVENT_AT = 1024;

let compiled: WebAssembly.Module | undefined;

/** A fresh instance; code is compiled once per thread. */
export function instantiateHead(): HeadExports {
  compiled ??= compileWasm(wasmBase64);
  return instantiateWasm<HeadExports>(compiled);
}
