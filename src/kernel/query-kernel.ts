import { VeronaError } from '../model/errors.ts';
import { assert } from '../platform/assert.ts';
import { DECODE_ERRORS } from './decode-errors.ts';
import { type GroupKind, GroupRows } from './group-rows.ts';
import { LinearMemory, type Region } from './linear-memory.ts';
import { instantiateQueryKernel, type QueryExports } from './query-module.ts';

/**
 * Evaluation times: start, start + step, … `steps` of them (ms). For `offset` and `@` the caller moves `start`.
 * A step of 0 with one step is an instant query.
 */
export interface StepGrid {
  readonly start: number;
  readonly step: number;
  readonly steps: number;
}

/** Functions of a range vector that the kernel evaluates for all steps of a series at once. The number is the kernel's. */
export const WindowFunction = {
  rate: 0,
  increase: 1,
  delta: 2,
  irate: 3,
  idelta: 4,
  sum_over_time: 5,
  avg_over_time: 6,
  min_over_time: 7,
  max_over_time: 8,
  count_over_time: 9,
  last_over_time: 10,
  first_over_time: 11,
  present_over_time: 12,
  stddev_over_time: 13,
  stdvar_over_time: 14,
  changes: 15,
  resets: 16,
  deriv: 17,
} as const;
export type WindowFunction = keyof typeof WindowFunction;

export function isWindowFunction(name: string): name is WindowFunction {
  return Object.hasOwn(WindowFunction, name);
}

/** The columns of a `SeriesBatch` that the kernel reads. */
export interface ChunkColumns {
  readonly chunkMint: Float64Array;
  readonly chunkMaxt: Float64Array;
  readonly chunkDataOffset: Uint32Array;
  readonly chunkDataLength: Uint32Array;
  readonly chunkData: Uint8Array;
}

/** Samples of one series, as views into kernel memory: use them before the next call of the kernel. */
export interface SampleView {
  readonly count: number;
  /** ms, ascending. */
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** Most samples of one series in one query: beyond it the query fails with `limit`. 16 bytes each, and as much again for sums. */
const SERIES_SAMPLES_MAX = 16_000_000;

/** Results of decoding beside `DECODE_ERRORS`, and the bytes of a chunk in the table (`assembly/decode-series.ts`). */
const OUTSIDE = -5;
const NO_ROOM = -6;
const TABLE_ENTRY_BYTES = 24;

/** Decoders load whole words and may look this far beyond the last byte. */
const SLACK = 64;

/**
 * The loops of a query over one WebAssembly memory: decode a series, run a window function over all steps, add the
 * row to a group, print a row. The unit of work is the *current series* (set by `decode` or `setSamples`) and the
 * *current row* (set by `windows`, `instant` or `setRow`).
 *
 * A row has one float64 per step. A step without a value has the bits of the staleness marker
 * (`model/sample.ts`; no result can have them): test with `isStaleAt` on a Uint32Array over the same bytes, never
 * on a number. NaN with other bits is a value.
 *
 * Rows and samples are returned as views of kernel memory that are overwritten by, and may detach at, the next call:
 * copy what must stay (`slice()` keeps the bits). One kernel per query at a time; not shared between threads.
 */
export class QueryKernel {
  readonly #wasm: QueryExports;
  readonly #memory: WebAssembly.Memory;
  readonly #space: LinearMemory;
  readonly #chunkData: Region = { at: 0, size: 0 };
  readonly #chunkTable: Region = { at: 0, size: 0 };
  readonly #samples: Region = { at: 0, size: 0 };
  readonly #scratch: Region = { at: 0, size: 0 };
  readonly #row: Region = { at: 0, size: 0 };
  readonly #text: Region = { at: 0, size: 0 };
  #columns: ChunkColumns | undefined;
  /** Samples that fit the column region. */
  #capacity = 0;
  #count = 0;
  #steps = 0;

  constructor() {
    this.#wasm = instantiateQueryKernel();
    this.#memory = this.#wasm.memory;
    this.#space = new LinearMemory(this.#memory, this.#wasm.init());
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Forgets everything but keeps its memory: as new, for the next query. Groups and views made before are void. */
  reset(): void {
    for (const region of [
      this.#chunkData,
      this.#chunkTable,
      this.#samples,
      this.#scratch,
      this.#row,
      this.#text,
    ])
      Object.assign(region, { at: 0, size: 0 });
    this.#space.reset();
    this.#columns = undefined;
    this.#capacity = 0;
    this.#count = 0;
    this.#steps = 0;
  }

  // ── series ────────────────────────────────────────────────────────────────

  /** Copies the chunk bytes of a batch; the batch before is forgotten. `decode` refers to its chunks by number. */
  load(columns: ChunkColumns): void {
    const size = columns.chunkData.length;
    const count = columns.chunkMint.length;
    this.#space.reserve(this.#chunkData, size + SLACK);
    this.#space.reserve(this.#chunkTable, TABLE_ENTRY_BYTES * count);
    const { buffer } = this.#memory;
    const { at } = this.#chunkTable;
    new Uint8Array(buffer, this.#chunkData.at, size).set(columns.chunkData);
    new Float64Array(buffer, at, count).set(columns.chunkMint);
    new Float64Array(buffer, at + 8 * count, count).set(columns.chunkMaxt);
    new Uint32Array(buffer, at + 16 * count, count).set(columns.chunkDataOffset);
    new Uint32Array(buffer, at + 20 * count, count).set(columns.chunkDataLength);
    this.#wasm.openChunks(at, count, this.#chunkData.at, size);
    this.#columns = columns;
  }

  /**
   * Makes the samples of XOR chunks `from … to` (exclusive) with mint ≤ t ≤ maxt the current series: merged by time, the
   * later chunk winning ties. With `dropStale`, staleness markers are left out (range vectors); else they are kept
   * (`instant` needs them). Throws `corrupt` and names chunk and offset, `limit` for too many samples.
   */
  decode(from: number, to: number, mint: number, maxt: number, dropStale: boolean): SampleView {
    this.decodeCount(from, to, mint, maxt, dropStale);
    return this.samples();
  }

  /** As `decode`, but gives only the number of samples: no views, which cost more than a short series. */
  decodeCount(from: number, to: number, mint: number, maxt: number, dropStale: boolean): number {
    const columns = this.#columns;
    assert(columns !== undefined, 'a batch is loaded');
    assert(to <= columns.chunkMint.length, 'the chunks are of the batch');
    this.#count = 0;
    for (let chunk = from; ; chunk = this.#wasm.reachedChunk()) {
      const result = this.#wasm.decodeSeries(
        chunk,
        to,
        mint,
        maxt,
        this.#samples.at,
        this.#valuesAt,
        this.#count,
        this.#capacity,
        this.#scratch.at,
      );
      this.#count = result < 0 ? this.#wasm.reachedSamples() : result;
      if (result >= 0) break;
      if (result !== NO_ROOM) this.#throwDamage(columns, this.#wasm.reachedChunk(), result);
      this.#reserveSamples(this.#count + this.#wasm.wantedSamples());
    }
    if (dropStale) this.#count = this.#wasm.dropStale(this.#samples.at, this.#valuesAt, this.#count);
    return this.#count;
  }

  /** The current series. */
  samples(): SampleView {
    const { buffer } = this.#memory;
    return {
      count: this.#count,
      timestamps: new Float64Array(buffer, this.#samples.at, this.#count),
      values: new Float64Array(buffer, this.#valuesAt, this.#count),
    };
  }

  /** Makes other samples the current series (subqueries, series that TypeScript decoded). Ascending times. */
  setSamples(timestamps: Float64Array, values: Float64Array): void {
    this.#count = 0;
    this.#reserveSamples(timestamps.length);
    new Float64Array(this.#memory.buffer, this.#samples.at, timestamps.length).set(timestamps);
    new Float64Array(this.#memory.buffer, this.#valuesAt, values.length).set(values);
    this.#count = timestamps.length;
  }

  // ── rows ──────────────────────────────────────────────────────────────────

  /**
   * Evaluates a window function of the current series (without staleness markers) at every step, over the samples in
   * (t - rangeMs, t], as Prometheus 3 does. Steps with too few samples are absent.
   */
  windows(func: WindowFunction, grid: StepGrid, rangeMs: number): Float64Array {
    this.evaluateWindows(func, grid, rangeMs);
    return this.row();
  }

  /** As `windows`, but leaves the row in the kernel. Gives how many steps have a value. */
  evaluateWindows(func: WindowFunction, grid: StepGrid, rangeMs: number): number {
    this.#beginRow(grid.steps);
    this.#space.reserve(this.#scratch, 8 * grid.steps + 24 * (this.#count + 1) + SLACK);
    this.#wasm.windows(
      WindowFunction[func],
      this.#samples.at,
      this.#valuesAt,
      this.#count,
      grid.start,
      grid.step,
      grid.steps,
      rangeMs,
      this.#scratch.at,
      this.#row.at,
    );
    return this.#countValues();
  }

  /** The instant vector selector: at every step the newest sample in (t - lookbackMs, t], unless it is a staleness marker. */
  instant(grid: StepGrid, lookbackMs: number): Float64Array {
    this.evaluateInstant(grid, lookbackMs, false);
    return this.row();
  }

  /** As `instant`, but gives the times of the samples, in seconds: `timestamp(selector)`. */
  instantTimes(grid: StepGrid, lookbackMs: number): Float64Array {
    this.evaluateInstant(grid, lookbackMs, true);
    return this.row();
  }

  /** As `instant` or, with `times`, `instantTimes`, but leaves the row in the kernel. Gives how many steps have a value. */
  evaluateInstant(grid: StepGrid, lookbackMs: number, times: boolean): number {
    this.#beginRow(grid.steps);
    const select = times ? this.#wasm.instantTimes : this.#wasm.instant;
    select(
      this.#samples.at,
      this.#valuesAt,
      this.#count,
      grid.start,
      grid.step,
      grid.steps,
      lookbackMs,
      this.#row.at,
    );
    return this.#countValues();
  }

  /** The current row. */
  row(): Float64Array {
    return new Float64Array(this.#memory.buffer, this.#row.at, this.#steps);
  }

  /** Makes a row computed elsewhere the current one; bits are copied as they are. */
  setRow(row: Float64Array): void {
    this.#beginRow(row.length);
    this.row().set(row);
  }

  // ── groups ────────────────────────────────────────────────────────────────

  /** Accumulators of an aggregation over `steps` steps. Groups are numbered from 0 by the caller, in any order. */
  groups(kind: GroupKind, steps: number): GroupRows {
    return new GroupRows(kind, steps, {
      wasm: this.#wasm,
      allocate: (size) => this.#allocateZeroed(size),
      rowAt: () => {
        assert(this.#steps === steps, 'the current row has the steps of the groups');
        return this.#row.at;
      },
      beginRow: () => {
        this.#beginRow(steps);
        return this.#row.at;
      },
      view: (at, length) => new Float64Array(this.#memory.buffer, at, length),
      countValues: () => this.#countValues(),
    });
  }

  // ── text ──────────────────────────────────────────────────────────────────

  /**
   * The current row as Prometheus' JSON, `[[1435781430.781,"1"],…]` with absent steps left out; `[]` when all are.
   * The time of step i is start + i·step (ms). A view of bytes.
   */
  writeMatrixRow(grid: StepGrid): Uint8Array {
    assert(this.#steps === grid.steps, 'the current row has the steps of the grid');
    // At most 21 bytes of time, 25 of value, 6 of punctuation.
    this.#space.reserve(this.#text, 2 + 56 * grid.steps + SLACK);
    const length = this.#wasm.writeRow(this.#row.at, grid.steps, grid.start, grid.step, this.#text.at);
    return new Uint8Array(this.#memory.buffer, this.#text.at, length);
  }

  /** Prometheus' text of one value, as bytes: what `formatFloat` gives. */
  writeValue(value: number): Uint8Array {
    this.#space.reserve(this.#text, 64 + SLACK);
    const length = this.#wasm.writeFloat(value, this.#text.at);
    return new Uint8Array(this.#memory.buffer, this.#text.at, length);
  }

  // ── memory ────────────────────────────────────────────────────────────────

  get #valuesAt(): number {
    return this.#samples.at + 8 * this.#capacity;
  }

  #throwDamage(
    { chunkData, chunkDataOffset, chunkDataLength }: ChunkColumns,
    chunk: number,
    why: number,
  ): never {
    const length = chunkDataLength[chunk];
    const text =
      why === OUTSIDE
        ? `${length} bytes at ${chunkDataOffset[chunk]} of ${chunkData.length}`
        : `${DECODE_ERRORS[-why]} in ${length} bytes`;
    this.#count = 0;
    throw new VeronaError('corrupt', `chunk ${chunk}: ${text}`);
  }

  #countValues(): number {
    return this.#wasm.countValues(this.#row.at, this.#steps);
  }

  #beginRow(steps: number): void {
    this.#space.reserve(this.#row, 8 * steps + SLACK);
    this.#steps = steps;
  }

  #reserveSamples(count: number): void {
    if (count <= this.#capacity) return;
    if (count > SERIES_SAMPLES_MAX)
      throw new VeronaError('limit', `a series has more than ${SERIES_SAMPLES_MAX} samples in range`);
    const held = this.samples();
    const capacity = Math.max(4096, 2 * count);
    const at = this.#space.allocate(16 * capacity + SLACK);
    const { buffer } = this.#memory;
    new Float64Array(buffer, at, this.#count).set(new Float64Array(buffer, this.#samples.at, held.count));
    new Float64Array(buffer, at + 8 * capacity, this.#count).set(
      new Float64Array(buffer, this.#valuesAt, held.count),
    );
    this.#samples.at = at;
    this.#capacity = capacity;
    // For merging chunks that overlap.
    this.#space.reserve(this.#scratch, 16 * capacity + SLACK);
  }

  /** Memory that an earlier query may have used. */
  #allocateZeroed(size: number): number {
    const at = this.#space.allocate(size);
    new Uint8Array(this.#memory.buffer, at, size).fill(0);
    return at;
  }
}
