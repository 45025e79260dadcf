import type { ChunkKernel, Following, KernelColumns } from '../../kernel/chunk-kernel.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { FloatChunks, mergeKernel } from './float-chunks.ts';
import { PENALTY_START_MS } from './penalty.ts';

/**
 * `penaltyMerge` of two replicas without decoding what it does not look at, with the same result. While one replica is followed
 * the other only matters after a gap: what it has before its floor (`Following.floor`) does not count, so that a sample of the
 * followed one at the floor at the latest comes first in any case. The other one's chunks that end before the floor are passed
 * over, and of one that begins behind it only that time is looked at.
 *
 * Both come as float chunks ordered by time without overlap. Chunks all of whose samples stay are handed through. Undefined
 * where a chunk has other times than are told of it. Throws `corrupt` for a chunk that does not decode.
 */
export function followReplicas<Chunk extends BlockChunk>(
  a: readonly Chunk[],
  b: readonly Chunk[],
): readonly (Chunk | BlockChunk)[] | undefined {
  tools ??= makeTools();
  const { kernel, columns } = tools;
  const out = tools.out as FloatChunks<Chunk>;
  out.clear();
  const first = new ReplicaCursor(kernel, columns[0], a, out);
  const second = new ReplicaCursor(kernel, columns[1], b, out);
  return follow(kernel, first, second) ? out.take() : undefined;
}

/** One of each per thread: columns for a chunk of each replica, and what comes out. */
let tools: ReturnType<typeof makeTools> | undefined;

function makeTools() {
  const kernel = mergeKernel();
  return {
    kernel,
    columns: [kernel.columns(), kernel.columns()] as const,
    out: new FloatChunks<BlockChunk>(kernel),
  };
}

/** False where a chunk has other times than it should. */
function follow<Chunk extends BlockChunk>(
  kernel: ChunkKernel,
  a: ReplicaCursor<Chunk>,
  b: ReplicaCursor<Chunk>,
): boolean {
  const state: Following = { last: Number.NEGATIVE_INFINITY, floor: Number.NEGATIVE_INFINITY };
  let [own, other] = [a, b];
  for (;;) {
    if (!own.seek(state.last + 1) || !other.seek(state.floor)) return false;
    if (own.isDone && other.isDone) return true;
    // Of two at the same time that of the first replica.
    const switches = own.isDone || (!other.isDone && (own === a ? other.t < own.t : other.t <= own.t));
    if (switches) {
      own.leave();
      [own, other] = [other, own];
      // The one that was left has no sample that counts up to the one that is taken now.
      state.floor = Number.NEGATIVE_INFINITY;
    }
    if (!own.begin()) return false;
    const { t } = own;
    const penalty = state.last === Number.NEGATIVE_INFINITY ? own.startPenalty() : 2 * (t - state.last);
    state.floor = Math.max(state.floor, t + 1 + penalty);
    state.last = t;
    own.pass();
    if (!own.run(kernel, state, own !== a)) return false;
  }
}

/** Stands on the next sample of a replica. What is taken of it goes out chunk by chunk, or in parts of chunks. */
class ReplicaCursor<Chunk extends BlockChunk> {
  readonly #kernel: ChunkKernel;
  /** The samples of the chunk stood in, once it is decoded. */
  readonly #columns: KernelColumns;
  readonly #chunks: readonly Chunk[];
  readonly #out: FloatChunks<Chunk>;
  #chunk = 0;
  #isDecoded = false;
  #sample = 0;
  /** The first sample of the chunk's that was taken with all after it up to here; -1: none. */
  #takenFrom = -1;

  constructor(
    kernel: ChunkKernel,
    columns: KernelColumns,
    chunks: readonly Chunk[],
    out: FloatChunks<Chunk>,
  ) {
    this.#kernel = kernel;
    this.#columns = columns;
    this.#chunks = chunks;
    this.#out = out;
  }

  get isDone(): boolean {
    return this.#chunk === this.#chunks.length;
  }

  /** The time of the next sample, ms. */
  get t(): number {
    return this.#isDecoded
      ? this.#kernel.timeAt(this.#columns, this.#sample)
      : this.#chunks[this.#chunk].mint;
  }

  /** To the first sample at or after `floor`, never back. False where the chunk is not what it should be, here and below. */
  seek(floor: number): boolean {
    while (!this.isDone && this.#chunks[this.#chunk].maxt < floor) this.#nextChunk();
    if (this.isDone || this.t >= floor) return true;
    if (!this.#decode()) return false;
    while (this.t < floor) this.#sample++;
    return true;
  }

  /** Takes samples from here on, until `leave`. */
  begin(): boolean {
    if (this.#takenFrom < 0) this.#takenFrom = this.#sample;
    return this.#decode();
  }

  /** To the next sample; the one before is taken. */
  pass(): void {
    this.#sample++;
  }

  /** Takes samples, over chunks, as long as the other replica cannot come first. */
  run(kernel: ChunkKernel, state: Following, strict: boolean): boolean {
    for (;;) {
      this.#sample = kernel.follow(this.#columns, this.#sample, state, strict);
      if (this.#sample < this.#columns.count) return true;
      this.#finishChunk();
      if (this.isDone) return true;
      const { mint } = this.#chunks[this.#chunk];
      if (strict ? mint >= state.floor : mint > state.floor) return true;
      if (!this.begin()) return false;
    }
  }

  /** What was taken goes out: samples of the other replica are next. */
  leave(): void {
    if (this.#takenFrom >= 0) this.#out.addSamples(this.#columns, this.#takenFrom, this.#sample);
    this.#takenFrom = -1;
  }

  /** The penalty of the other replica while no distance is known: `startPenalty` of the plain way. */
  startPenalty(): number {
    const next = this.#timeOfNext();
    return Math.max(PENALTY_START_MS, next === undefined ? 0 : 2 * (next - this.t));
  }

  #timeOfNext(): number | undefined {
    if (this.#sample + 1 < this.#columns.count) return this.#kernel.timeAt(this.#columns, this.#sample + 1);
    return this.#chunks[this.#chunk + 1]?.mint;
  }

  #finishChunk(): void {
    if (this.#takenFrom === 0) this.#out.add(this.#chunks[this.#chunk]);
    else this.leave();
    this.#nextChunk();
  }

  #nextChunk(): void {
    this.#chunk++;
    this.#sample = 0;
    this.#isDecoded = false;
    this.#takenFrom = -1;
  }

  #decode(): boolean {
    if (this.#isDecoded) return true;
    const { data, mint, maxt } = this.#chunks[this.#chunk];
    this.#kernel.clear(this.#columns);
    this.#kernel.decode(data, this.#columns);
    this.#isDecoded = true;
    const { count } = this.#columns;
    return (
      count > 0 &&
      this.#kernel.timeAt(this.#columns, 0) === mint &&
      this.#kernel.timeAt(this.#columns, count - 1) === maxt
    );
  }
}
