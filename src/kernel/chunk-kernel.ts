import { VeronaError } from '../model/errors.ts';
import { assert } from '../platform/assert.ts';
import { CHUNK_SLACK, type ChunkExports, instantiateChunks } from './chunks-module.ts';
import { DECODE_ERRORS } from './decode-errors.ts';
import { LinearMemory, type Region } from './linear-memory.ts';

/** A chunk has no more; its count has 16 bits. */
const CHUNK_SAMPLES_MAX = 65_535;
/** Samples that columns have room for at first. */
const CAPACITY_MIN = 1024;

/** Samples as two columns in the memory of a kernel, in the order they came; made by `ChunkKernel.columns`. */
export interface KernelColumns {
  readonly count: number;
}

interface Columns extends KernelColumns {
  count: number;
  capacity: number;
  /** Addresses. */
  times: number;
  values: number;
}

/** How far a replica is followed. */
export interface Following {
  /** The newest time taken, ms; -∞ before the first. */
  last: number;
  /** Before it the other replica has no sample that counts, ms. */
  floor: number;
}

/**
 * The loops over samples of compaction, downsampling and deduplication, over one WebAssembly memory: XOR chunks → columns → XOR or aggregate
 * chunks. Columns belong to one kernel; chunks are returned as views that the next call overwrites. Not shared between threads.
 */
export class ChunkKernel {
  readonly #wasm: ChunkExports;
  readonly #memory: LinearMemory;
  readonly #input: Region = { at: 0, size: 0 };
  readonly #output: Region = { at: 0, size: 0 };
  readonly #scratch: Region = { at: 0, size: 0 };

  constructor() {
    this.#wasm = instantiateChunks();
    this.#memory = new LinearMemory(this.#wasm.memory, this.#wasm.init());
  }

  /** Empty ones. They keep the memory that they once needed as long as the kernel lives. */
  columns(): KernelColumns {
    const empty: Columns = { count: 0, capacity: 0, times: 0, values: 0 };
    return empty;
  }

  clear(columns: KernelColumns): void {
    (columns as Columns).count = 0;
  }

  /** Time of sample i, ms. */
  timeAt(columns: KernelColumns, i: number): number {
    return this.#memory.floats[(columns as Columns).times / 8 + i];
  }

  /**
   * Puts the samples of an XOR chunk (payload after the encoding byte) behind those in the columns; where times overlap, all by
   * time, and of two with the same time the later one. Throws `corrupt`.
   */
  decode(chunk: Uint8Array, into: KernelColumns): void {
    const columns = into as Columns;
    const { length } = chunk;
    if (length < 2) throw new VeronaError('corrupt', `chunk of ${length} bytes`);
    this.#memory.reserve(this.#input, length + CHUNK_SLACK);
    this.#reserveSamples(columns, columns.count + ((chunk[0] << 8) | chunk[1]));
    const { at } = this.#input;
    this.#memory.bytes.set(chunk, at);
    const { count, times, values } = columns;
    const result = this.#wasm.decodeChunk(at, length, -Infinity, Infinity, times, values, count);
    if (result < 0) throw new VeronaError('corrupt', `${DECODE_ERRORS[-result]} in ${length} bytes`);
    columns.count = result;
    this.#settle(columns, count);
  }

  /** As `decode`, of samples of ascending times; values keep their bits. */
  push(into: KernelColumns, timestamps: Float64Array, values: Float64Array): void {
    const columns = into as Columns;
    this.#reserveSamples(columns, columns.count + timestamps.length);
    const { floats } = this.#memory;
    floats.set(timestamps, columns.times / 8 + columns.count);
    floats.set(values, columns.values / 8 + columns.count);
    columns.count += timestamps.length;
    this.#settle(columns, columns.count - timestamps.length);
  }

  /** Puts samples from … to (exclusive) of other columns behind those in the columns. */
  pushRange(into: KernelColumns, source: KernelColumns, from: number, to: number): void {
    const columns = into as Columns;
    this.#reserveSamples(columns, columns.count + to - from);
    const { times, values } = source as Columns;
    const { floats } = this.#memory;
    floats.copyWithin(columns.times / 8 + columns.count, times / 8 + from, times / 8 + to);
    floats.copyWithin(columns.values / 8 + columns.count, values / 8 + from, values / 8 + to);
    columns.count += to - from;
  }

  /** Leaves out NaN, staleness markers among them. */
  dropNaN(from: KernelColumns): void {
    const columns = from as Columns;
    columns.count = this.#wasm.dropNaN(columns.times, columns.values, columns.count);
  }

  /** Samples from … to (exclusive), 1 … 65,535 of ascending times, as an XOR chunk; a view. The bytes are those of `XorAppender`. */
  encode(columns: KernelColumns, from: number, to: number): Uint8Array {
    const count = to - from;
    assert(count > 0 && count <= CHUNK_SAMPLES_MAX, `${count} samples for a chunk`);
    this.#memory.reserve(this.#output, this.#wasm.xorSizeMax(count));
    const { times, values } = columns as Columns;
    const { at } = this.#output;
    const length = this.#wasm.encodeXor(times + 8 * from, values + 8 * from, count, at);
    return this.#memory.bytes.subarray(at, at + length);
  }

  /**
   * Samples from … to (exclusive) of ascending times and none NaN, in windows of `resolutionMs`, as an aggregate chunk; a view, and
   * the time of the first window. It ends at the time of the last sample. There are at most 65,533 windows.
   */
  aggregate(
    columns: KernelColumns,
    from: number,
    to: number,
    resolutionMs: number,
  ): { readonly mint: number; readonly data: Uint8Array } {
    const wasm = this.#wasm;
    const range = this.timeAt(columns, to - 1) - this.timeAt(columns, from);
    const windowsMax = Math.min(to - from, Math.floor(range / resolutionMs) + 2);
    // The counter has two samples more than windows.
    assert(windowsMax > 0 && windowsMax + 2 <= CHUNK_SAMPLES_MAX, `${windowsMax} windows in a chunk`);
    this.#memory.reserve(this.#scratch, wasm.aggregateScratch(windowsMax));
    this.#memory.reserve(this.#output, wasm.aggregateSizeMax(windowsMax));
    const { times, values } = columns as Columns;
    const { at } = this.#output;
    const length = wasm.aggregateFloats(
      times + 8 * from,
      values + 8 * from,
      to - from,
      resolutionMs,
      this.#scratch.at,
      windowsMax,
      at,
    );
    return { mint: wasm.aggregateMint(), data: this.#memory.bytes.subarray(at, at + length) };
  }

  /**
   * Follows a replica over samples from … of the columns, as long as each comes at the floor at the latest (`strict`: before it):
   * then whatever the other replica has comes later. Returns where that ends, and moves `state`: the other replica's samples
   * before the time of a sample + 1 + two of its intervals do not count.
   */
  follow(columns: KernelColumns, from: number, state: Following, strict: boolean): number {
    const { times, count } = columns as Columns;
    const to = this.#wasm.follow(times, from, count, state.last, state.floor, strict ? 1 : 0);
    state.last = this.#wasm.followedTo();
    state.floor = this.#wasm.otherFloor();
    return to;
  }

  /** How many of these values are staleness markers. */
  countStale(values: Float64Array): number {
    this.#memory.reserve(this.#scratch, 8 * values.length);
    const { at } = this.#scratch;
    this.#memory.floats.set(values, at / 8);
    return this.#wasm.countStale(at, values.length);
  }

  /**
   * The numbers of those of `times` from which every one of `base` is further than `reach` times the spacing around them, as
   * `plainOutOfReach` says it, ms. Both ascend. A view that the next call overwrites.
   */
  outOfReach(base: Float64Array, times: Float64Array, reach: number, spacingMax: number): Uint32Array {
    const all = base.length + times.length;
    this.#memory.reserve(this.#scratch, 8 * all);
    this.#memory.reserve(this.#output, 4 * times.length);
    const baseAt = this.#scratch.at;
    const timesAt = baseAt + 8 * base.length;
    const out = this.#output.at;
    const { floats } = this.#memory;
    floats.set(base, baseAt / 8);
    floats.set(times, timesAt / 8);
    const [n, m] = [base.length, times.length];
    const found = this.#wasm.outOfReach(baseAt, n, timesAt, m, reach, spacingMax, out);
    return new Uint32Array(this.#wasm.memory.buffer, out, found);
  }

  /** Orders the samples from `boundary` on among those before. */
  #settle(columns: Columns, boundary: number): void {
    const { count, times, values } = columns;
    if (boundary === 0 || boundary === count) return;
    const { floats } = this.#memory;
    const first = floats[times / 8 + boundary];
    let from = boundary;
    while (from > 0 && floats[times / 8 + from - 1] >= first) from--;
    if (from === boundary) return;
    this.#memory.reserve(this.#scratch, 16 * (boundary - from));
    const [at, valueAt] = [times + 8 * from, values + 8 * from];
    columns.count = from + this.#wasm.mergeRuns(at, valueAt, boundary - from, count - from, this.#scratch.at);
  }

  #reserveSamples(columns: Columns, count: number): void {
    if (count <= columns.capacity) return;
    const capacity = Math.max(CAPACITY_MIN, count, 2 * columns.capacity);
    const at = this.#memory.allocate(16 * capacity);
    const { floats } = this.#memory;
    floats.copyWithin(at / 8, columns.times / 8, columns.times / 8 + columns.count);
    floats.copyWithin(at / 8 + capacity, columns.values / 8, columns.values / 8 + columns.count);
    columns.times = at;
    columns.values = at + 8 * capacity;
    columns.capacity = capacity;
  }
}
