import { wasmBase64 } from './gen/chunks.ts';
import { compileWasm, instantiateWasm } from './wasm-module.ts';

/** What `assembly/entries/chunks.ts` exports; addresses are bytes into `memory`. */
export interface ChunkExports {
  readonly memory: WebAssembly.Memory;
  init(): number;
  decodeChunk(
    src: number,
    length: number,
    mint: number,
    maxt: number,
    times: number,
    values: number,
    count: number,
  ): number;
  mergeRuns(times: number, values: number, boundary: number, end: number, scratch: number): number;
  countStale(values: number, count: number): number;
  outOfReach(
    base: number,
    baseCount: number,
    times: number,
    count: number,
    reach: number,
    spacingMax: number,
    out: number,
  ): number;
  dropNaN(times: number, values: number, count: number): number;
  encodeXor(times: number, values: number, count: number, out: number): number;
  xorSizeMax(count: number): number;
  aggregateScratch(windows: number): number;
  aggregateSizeMax(windows: number): number;
  aggregateFloats(
    times: number,
    values: number,
    count: number,
    resolution: number,
    scratch: number,
    windowsMax: number,
    out: number,
  ): number;
  aggregateMint(): number;
  openAggregates(src: number, length: number, table: number): number;
  addAggregates(table: number, columns: number, capacity: number, mark: number): number;
  joinScratch(from: number, to: number): number;
  joinSizeMax(from: number, to: number): number;
  joinAggregates(
    columns: number,
    capacity: number,
    from: number,
    to: number,
    resolution: number,
    scratch: number,
    out: number,
  ): number;
  joinedMint(): number;
  joinedMaxt(): number;
  follow(times: number, from: number, to: number, last: number, floor: number, strict: number): number;
  followedTo(): number;
  otherFloor(): number;
}

/** Decoders load whole words and may look this far beyond the last byte. */
export const CHUNK_SLACK = 64;

/** An instance of its own of the module that works on chunks of one series. */
export function instantiateChunks(): ChunkExports {
  compiled ??= compileWasm(wasmBase64);
  return instantiateWasm<ChunkExports>(compiled);
}

let compiled: WebAssembly.Module | undefined;
