import type { SelectRequest } from '../../storage/querier.ts';
import type { SeriesEntry } from '../index/index-format.ts';
import type { IndexPairs, LabelPairs } from '../index/label-pairs.ts';
import type { Block } from './block.ts';

/**
 * The selected series of one block, one after the other in the order of their labels, decoded some hundred at a time into
 * columns: label pairs as numbers (`LabelPairs`), and the chunks that have something in the range asked for. Series
 * without such chunks are passed over.
 */
export class SeriesRun {
  readonly block: Block;
  /** Which of the blocks of a query it is. */
  readonly number: number;
  readonly #refs: Uint32Array;
  readonly #request: SelectRequest;
  readonly #entry: SeriesEntry;
  #pairsOf: IndexPairs;
  /** Of the decoded series: refs, and where their pairs and chunks end. */
  readonly #series: Uint32Array;
  readonly #pairEnds: Uint32Array;
  readonly #chunkEnds: Uint32Array;
  /** The next one of `#refs` to be decoded. */
  #next = 0;
  #count = 0;
  #at = 0;
  /** Pairs of the current series are pairs[pairStart … pairEnd), its chunks chunkStart … chunkEnd of the chunk columns. */
  pairs = new Uint32Array(64);
  pairStart = 0;
  pairEnd = 0;
  mint = new Float64Array(16);
  maxt = new Float64Array(16);
  chunkRef = new Float64Array(16);
  chunkStart = 0;
  chunkEnd = 0;

  /** Of the series `refs` of the block's index, ascending. `sliceMax` series are decoded at a time. */
  constructor(
    block: Block,
    number: number,
    refs: Uint32Array,
    request: SelectRequest,
    pairs: LabelPairs,
    { sliceMax, entry }: { sliceMax: number; entry: SeriesEntry },
  ) {
    this.#entry = entry;
    this.block = block;
    this.number = number;
    this.#refs = refs;
    this.#request = request;
    this.#pairsOf = pairs.of(block.index.symbols);
    const size = Math.min(sliceMax, refs.length);
    this.#series = new Uint32Array(size);
    this.#pairEnds = new Uint32Array(size);
    this.#chunkEnds = new Uint32Array(size);
  }

  /** Ref of the current series in the block's index. */
  get ref(): number {
    return this.#series[this.#at];
  }

  /** Whether there is no further series decoded. */
  get isUsedUp(): boolean {
    return this.#at >= this.#count;
  }

  /** To the next series that is decoded already; false when there is none. */
  advance(): boolean {
    if (this.#at + 1 < this.#count) this.#stand(this.#at + 1);
    else this.#at = this.#count;
    return this.#at < this.#count;
  }

  /** Decodes the next series and stands on the first of them; false at the end. Throws `corrupt`. */
  async next(signal: AbortSignal): Promise<boolean> {
    this.#count = 0;
    while (this.#count === 0 && this.#next < this.#refs.length) {
      signal.throwIfAborted();
      const slice = this.#refs.subarray(this.#next, this.#next + this.#series.length);
      await this.block.index.prefetchSeries(slice);
      this.#decode(slice);
      this.#next += slice.length;
    }
    if (this.#count > 0) this.#stand(0);
    return this.#count > 0;
  }

  /** Decodes what is left of the slice again, its pairs by other numbers. */
  renumber(pairs: LabelPairs): void {
    this.#pairsOf = pairs.of(this.block.index.symbols);
    this.#decode(this.#series.slice(this.#at, this.#count));
    this.#stand(0);
  }

  #stand(at: number): void {
    this.#at = at;
    this.pairStart = at === 0 ? 0 : this.#pairEnds[at - 1];
    this.pairEnd = this.#pairEnds[at];
    this.chunkStart = at === 0 ? 0 : this.#chunkEnds[at - 1];
    this.chunkEnd = this.#chunkEnds[at];
  }

  #decode(refs: Uint32Array): void {
    const { index } = this.block;
    const entry = this.#entry;
    this.#count = 0;
    let pairEnd = 0;
    let chunkEnd = 0;
    for (const ref of refs) {
      index.readSeries(ref, entry);
      const end = this.#putChunks(ref, chunkEnd);
      if (end < 0) continue;
      chunkEnd = end;
      pairEnd = this.#putPairs(pairEnd);
      this.#series[this.#count] = ref;
      this.#pairEnds[this.#count] = pairEnd;
      this.#chunkEnds[this.#count++] = chunkEnd;
    }
  }

  #putPairs(at: number): number {
    const { labelCount, labels } = this.#entry;
    if (at + labelCount > this.pairs.length) {
      const larger = new Uint32Array(2 * (at + labelCount));
      larger.set(this.pairs);
      this.pairs = larger;
    }
    for (let i = 0; i < labelCount; i++)
      this.pairs[at++] = this.#pairsOf.numberOf(labels[2 * i], labels[2 * i + 1]);
    return at;
  }

  /** Where the chunks end after those of the entry; -1 when none of them has anything in range. */
  #putChunks(ref: number, at: number): number {
    const { chunkCount, mint, maxt, chunkRef } = this.#entry;
    const { mint: from, maxt: to, hints } = this.#request;
    const { tombstones } = this.block;
    const deleted = tombstones.size > 0 ? tombstones.get(ref) : undefined;
    if (at + chunkCount > this.mint.length) this.#growChunks(2 * (at + chunkCount));
    let present = false;
    for (let c = 0; c < chunkCount; c++) {
      if (maxt[c] < from || mint[c] > to) continue;
      if (deleted?.some((gap) => gap.mint <= mint[c] && gap.maxt >= maxt[c])) continue;
      present = true;
      if (hints?.labelsOnly) break;
      this.mint[at] = mint[c];
      this.maxt[at] = maxt[c];
      this.chunkRef[at++] = chunkRef[c];
    }
    return present ? at : -1;
  }

  #growChunks(length: number): void {
    this.mint = grown(this.mint, length);
    this.maxt = grown(this.maxt, length);
    this.chunkRef = grown(this.chunkRef, length);
  }
}

function grown(column: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(length);
  larger.set(column);
  return larger;
}
