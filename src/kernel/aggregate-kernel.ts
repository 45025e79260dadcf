import { VeronaError } from '../model/errors.ts';
import { assert } from '../platform/assert.ts';
import { CHUNK_SLACK, type ChunkExports, instantiateChunks } from './chunks-module.ts';
import { DECODE_ERRORS } from './decode-errors.ts';
import { LinearMemory, type Region } from './linear-memory.ts';

/** Aggregates of one chunk. */
const PARTS = 5;
/** Place and length of each. */
const TABLE_BYTES = 8 * PARTS;
const MARK_BYTES = 4 * PARTS;
/** Samples that each part has room for at first. */
const CAPACITY_MIN = 1024;

/** Results of `join-aggregates.ts`. */
const CUT_OFF = -7;
const FOREIGN = -8;
const UNORDERED = -9;

/** A chunk made of several; `mint` and `maxt` are the ends of its first and last window, ms. `data` is a view. */
export interface JoinedChunk {
  readonly mint: number;
  readonly maxt: number;
  readonly data: Uint8Array;
}

/**
 * Aggregate chunks of floats of one series on their way to a coarser resolution, over one WebAssembly memory. What it returns are
 * views that the next call overwrites. Not shared between threads.
 */
export class AggregateKernel {
  readonly #wasm: ChunkExports;
  readonly #memory: LinearMemory;
  /** The table of the parts of a chunk, and behind it the chunk. */
  readonly #input: Region = { at: 0, size: 0 };
  readonly #output: Region = { at: 0, size: 0 };
  readonly #scratch: Region = { at: 0, size: 0 };
  /** One mark more than chunks. */
  readonly #marks: Region = { at: 0, size: 0 };
  #columns = 0;
  #capacity = 0;
  /** No part has more samples than this. */
  #samples = 0;
  #chunks = 0;

  constructor() {
    this.#wasm = instantiateChunks();
    this.#memory = new LinearMemory(this.#wasm.memory, this.#wasm.init());
    this.clear();
  }

  /** Chunks added since `clear`. */
  get chunkCount(): number {
    return this.#chunks;
  }

  /** Samples of the counts of all chunks: one for each window. */
  get windowCount(): number {
    return this.#countAt(this.#chunks);
  }

  clear(): void {
    this.#chunks = 0;
    this.#samples = 0;
    this.#reserveMarks(1);
    this.#memory.bytes.fill(0, this.#marks.at, this.#marks.at + MARK_BYTES);
  }

  /** Adds the next chunk, whose memory may be used again. False when one of its parts is not of floats. Throws `corrupt`. */
  add(chunk: Uint8Array): boolean {
    const { length } = chunk;
    this.#memory.reserve(this.#input, TABLE_BYTES + length + CHUNK_SLACK);
    const table = this.#input.at;
    this.#memory.bytes.set(chunk, table + TABLE_BYTES);
    const most = this.#wasm.openAggregates(table + TABLE_BYTES, length, table);
    if (most === FOREIGN) return false;
    if (most === CUT_OFF) throw new VeronaError('corrupt', `aggregate chunk of ${length} bytes is cut off`);
    // A part of so many samples is not so short.
    if (most > 4 * length) throw corrupt(1, length);
    this.#reserveColumns(this.#samples + most);
    this.#reserveMarks(this.#chunks + 2);
    const result = this.#wasm.addAggregates(table, this.#columns, this.#capacity, this.#markAt(this.#chunks));
    if (result < 0) throw corrupt(-result, length);
    this.#samples += most;
    this.#chunks++;
    return true;
  }

  /**
   * Chunks from … to (exclusive) as one with windows of `resolutionMs`, of which there are at most 65,533; each chunk is joined
   * once. Undefined when it would be empty; `unordered` where times of these chunks go back.
   */
  join(from: number, to: number, resolutionMs: number): JoinedChunk | 'unordered' | undefined {
    const wasm = this.#wasm;
    const [first, end] = [this.#markAt(from), this.#markAt(to)];
    this.#memory.reserve(this.#scratch, wasm.joinScratch(first, end));
    this.#memory.reserve(this.#output, wasm.joinSizeMax(first, end));
    const { at } = this.#output;
    const { at: scratch } = this.#scratch;
    const length = wasm.joinAggregates(this.#columns, this.#capacity, first, end, resolutionMs, scratch, at);
    if (length === UNORDERED) return 'unordered';
    assert(length >= 0, 'too many windows for a chunk');
    if (length === 0) return undefined;
    const data = this.#memory.bytes.subarray(at, at + length);
    return { mint: wasm.joinedMint(), maxt: wasm.joinedMaxt(), data };
  }

  #markAt(chunk: number): number {
    return this.#marks.at + MARK_BYTES * chunk;
  }

  /** Samples of the first part before a chunk. */
  #countAt(chunk: number): number {
    const { bytes } = this.#memory;
    const at = this.#markAt(chunk);
    return bytes[at] + bytes[at + 1] * 0x100 + bytes[at + 2] * 0x1_0000 + bytes[at + 3] * 0x100_0000;
  }

  #reserveMarks(count: number): void {
    const { at, size } = this.#marks;
    this.#memory.reserve(this.#marks, MARK_BYTES * count);
    if (size > 0 && at !== this.#marks.at) this.#memory.bytes.copyWithin(this.#marks.at, at, at + size);
  }

  #reserveColumns(count: number): void {
    if (count <= this.#capacity) return;
    const capacity = Math.max(CAPACITY_MIN, count, 2 * this.#capacity);
    const at = this.#memory.allocate(2 * PARTS * 8 * capacity);
    const { floats } = this.#memory;
    for (let k = 0; k < 2 * PARTS; k++) {
      const start = (this.#columns + 8 * k * this.#capacity) / 8;
      floats.copyWithin((at + 8 * k * capacity) / 8, start, start + this.#samples);
    }
    this.#columns = at;
    this.#capacity = capacity;
  }
}

function corrupt(why: number, length: number): VeronaError {
  return new VeronaError('corrupt', `${DECODE_ERRORS[why]} in an aggregate chunk of ${length} bytes`);
}
