import { storedSampleCount } from '../../chunkenc/chunk.ts';
import { isHistogramEncoding } from '../../chunkenc/encoding.ts';
import { uvarintSize } from '../../encoding/varint.ts';
import type { ChunkWindow } from '../chunks/chunk-window.ts';
import { SERIES_ALIGN, SeriesEntry } from '../index/index-format.ts';
import { compareRanks } from '../index/index-writer.ts';
import { nextTurn } from '../next-turn.ts';
import type { Block } from './block.ts';

/** Findings beyond this many are counted, not told. */
const FINDINGS_MAX = 100;
const SERIES_AT_ONCE = 1024;
/** Of a chunk entry besides length and data: encoding and checksum. */
const ENTRY_EXTRA_BYTES = 5;
/** Entries of postings looked at between two turns of the event loop. */
const REFS_PER_TURN = 100_000;

export interface BlockVerdict {
  /** What is wrong, in plain fragments; empty for a good block. */
  readonly findings: readonly string[];
  readonly findingCount: number;
  /** How many of them say only that `meta.json` counts otherwise. */
  readonly countFindings: number;
  readonly series: number;
  readonly chunks: number;
  readonly samples: number;
  /** Those of the samples that are histograms. */
  readonly histogramSamples: number;
  /** Bytes of the largest series entry, up to the next one, and of the largest chunk entry. */
  readonly seriesMaxBytes: number;
  readonly chunkMaxBytes: number;
}

/**
 * Reads a whole block: order of symbols, series and chunks, every checksum, chunks within the block's
 * time, postings that list exactly the series, and counts as `meta.json` has them. What opening checks is not repeated.
 */
export async function verifyBlock(block: Block, signal?: AbortSignal): Promise<BlockVerdict> {
  return new Verification(block).run(signal);
}

class Verification {
  readonly #block: Block;
  readonly #findings: string[] = [];
  #findingCount = 0;
  #series = 0;
  #chunks = 0;
  #samples = 0;
  #histogramSamples = 0;
  #chunkMaxBytes = 0;
  /** The series before, if it could be read. */
  #before = new SeriesEntry();
  #entry = new SeriesEntry();
  /** Reads chunks as they lie, which is how they are written. */
  readonly #walk: ChunkWindow;
  readonly #list = { refs: new Uint32Array(1024), count: 0 };
  #lastChunk = -1;
  /** Labels of all series: each must be in exactly one postings list. */
  #labelEntries = 0;

  constructor(block: Block) {
    this.#block = block;
    this.#walk = block.chunks.walk();
  }

  async run(signal?: AbortSignal): Promise<BlockVerdict> {
    try {
      return await this.#verify(signal);
    } finally {
      await this.#walk.close();
    }
  }

  async #verify(signal?: AbortSignal): Promise<BlockVerdict> {
    const refs = this.#block.index.allPostings();
    for (let i = 1; i < refs.length; i++)
      if (refs[i] <= refs[i - 1]) this.#wrong(`postings of all series are out of order at ${i}`);
    for (let at = 0; at < refs.length; at += SERIES_AT_ONCE) {
      signal?.throwIfAborted();
      await this.#verifySeries(refs.subarray(at, at + SERIES_AT_ONCE));
      await nextTurn();
    }
    await this.#verifyPostings(refs, signal);
    await this.#verifySymbols();
    const otherFindings = this.#findingCount;
    this.#verifyCounts();
    return {
      findings: this.#findings,
      findingCount: this.#findingCount,
      countFindings: this.#findingCount - otherFindings,
      series: this.#series,
      chunks: this.#chunks,
      samples: this.#samples,
      histogramSamples: this.#histogramSamples,
      seriesMaxBytes: largestGap(refs) * SERIES_ALIGN,
      chunkMaxBytes: this.#chunkMaxBytes,
    };
  }

  async #verifySeries(refs: Uint32Array): Promise<void> {
    const { index } = this.#block;
    const chunkRefs: number[] = [];
    await index.prefetchSeries(refs);
    for (const ref of refs) {
      this.#series++;
      const entry = this.#entry;
      try {
        index.readSeries(ref, entry);
      } catch (error) {
        this.#wrong((error as Error).message);
        continue;
      }
      // Symbols ascend, or that is found by itself: so their numbers tell the order of labels.
      if (this.#before.labelCount > 0 && compareLabels(this.#before, entry) >= 0)
        this.#wrong(`series ${ref} is out of order`);
      this.#verifyEntry(ref, entry);
      for (let c = 0; c < entry.chunkCount; c++) chunkRefs.push(entry.chunkRef[c]);
      [this.#before, this.#entry] = [entry, this.#before];
    }
    this.#chunks += chunkRefs.length;
    try {
      await this.#verifyChunks(chunkRefs);
    } catch (error) {
      this.#wrong((error as Error).message);
    }
  }

  /** Each by its checksum. */
  async #verifyChunks(refs: readonly number[]): Promise<void> {
    if (!this.#goOn(refs)) {
      const { chunks } = this.#block;
      await chunks.readAll(refs, (_, { encoding, data }) => {
        const bytes = uvarintSize(data.length) + data.length + ENTRY_EXTRA_BYTES;
        this.#countChunk(encoding, storedSampleCount(encoding, data, 0), bytes);
      });
      return;
    }
    const walk = this.#walk;
    for (const ref of refs) {
      if (!walk.isOpen(ref)) await walk.openFile(ref);
      walk.open(ref);
      this.#countChunk(walk.encoding, walk.sampleCount, walk.sizeBytes);
    }
  }

  /** Whether chunks lie one behind the other, and behind all before. */
  #goOn(refs: readonly number[]): boolean {
    for (const ref of refs) {
      if (ref <= this.#lastChunk) return false;
      this.#lastChunk = ref;
    }
    return true;
  }

  #countChunk(encoding: number, samples: number, sizeBytes: number): void {
    this.#samples += samples;
    this.#chunkMaxBytes = Math.max(this.#chunkMaxBytes, sizeBytes);
    if (isHistogramEncoding(encoding)) this.#histogramSamples += samples;
  }

  #verifyEntry(ref: number, entry: SeriesEntry): void {
    const { minTime, maxTime } = this.#block.meta;
    if (entry.labelCount === 0) this.#wrong(`series ${ref} has no labels`);
    if (hasMore(entry, this.#block.index.symbols.count)) this.#wrong(`series ${ref} names an unknown symbol`);
    this.#labelEntries += entry.labelCount;
    for (let i = 2; i < 2 * entry.labelCount; i += 2)
      if (entry.labels[i] <= entry.labels[i - 2]) this.#wrong(`labels of series ${ref} are out of order`);
    if (entry.chunkCount === 0) this.#wrong(`series ${ref} has no chunks`);
    for (let c = 0; c < entry.chunkCount; c++) {
      if (c > 0 && entry.mint[c] <= entry.maxt[c - 1]) this.#wrong(`chunks of series ${ref} overlap`);
      if (entry.mint[c] < minTime || entry.maxt[c] >= maxTime)
        this.#wrong(`chunk ${entry.mint[c]}–${entry.maxt[c]} of series ${ref} is outside of the block`);
    }
  }

  async #verifyPostings(all: Uint32Array, signal?: AbortSignal): Promise<void> {
    const { index } = this.#block;
    const known = new RefSet(all);
    // All at once, since table and lists are in different parts of the file.
    const offsets = new NumberColumn();
    index.offsets.visitPostings((offset) => offsets.push(offset));
    let listed = 0;
    let turnAt = REFS_PER_TURN;
    for (let i = 0; i < offsets.count; i++) {
      listed += this.#verifyList(offsets.at(i), known);
      // A list costs as much as some refs.
      if (listed + i < turnAt) continue;
      turnAt = listed + i + REFS_PER_TURN;
      signal?.throwIfAborted();
      await nextTurn();
    }
    if (listed !== this.#labelEntries)
      this.#wrong(`postings list ${listed} labels of series instead of ${this.#labelEntries}`);
  }

  /** How many series one list names. */
  #verifyList(offset: number, known: RefSet): number {
    const { index } = this.#block;
    const list = this.#list;
    try {
      index.readPostings(offset, list);
      const { refs, count } = list;
      for (let i = 0; i < count; i++)
        if (!known.has(refs[i]) || (i > 0 && refs[i] <= refs[i - 1])) {
          this.#wrong(`postings of ${index.offsets.pairOf(offset)} name a wrong series ${refs[i]}`);
          break;
        }
      return count;
    } catch (error) {
      this.#wrong((error as Error).message);
      return 0;
    }
  }

  /** Symbols may be unused: Prometheus writes an empty one, and deletion leaves some behind. */
  async #verifySymbols(): Promise<void> {
    await this.#block.index.symbols.visitUnordered((ref) => this.#wrong(`symbol ${ref} is out of order`));
  }

  #verifyCounts(): void {
    const { numSeries, numChunks, numSamples } = this.#block.meta.stats;
    const counts = [
      ['series', this.#series, numSeries],
      ['chunks', this.#chunks, numChunks],
      ['samples', this.#samples, numSamples],
    ] as const;
    for (const [what, found, said] of counts)
      if (found !== said) this.#wrong(`${found} ${what}, meta.json says ${said}`);
  }

  #wrong(finding: string): void {
    if (this.#findingCount++ < FINDINGS_MAX) this.#findings.push(finding);
  }
}

function compareLabels(a: SeriesEntry, b: SeriesEntry): number {
  return compareRanks(a.labels, 2 * a.labelCount, b.labels, 2 * b.labelCount);
}

/** Whether any of its labels is named by a number that there is no symbol of. */
function hasMore({ labels, labelCount }: SeriesEntry, symbolCount: number): boolean {
  for (let i = 0; i < 2 * labelCount; i++) if (labels[i] >= symbolCount) return true;
  return false;
}

/** Numbers one behind the other. */
class NumberColumn {
  count = 0;
  #numbers = new Float64Array(1024);

  push(number: number): void {
    if (this.count === this.#numbers.length) {
      const larger = new Float64Array(2 * this.count);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.count++] = number;
  }

  at(i: number): number {
    return this.#numbers[i];
  }
}

function largestGap(refs: Uint32Array): number {
  let most = 0;
  for (let i = 1; i < refs.length; i++) most = Math.max(most, refs[i] - refs[i - 1]);
  return most;
}

/** A damaged index may name any ref: beyond this many bits per series they are kept in a hash set. */
const BITS_PER_REF_MAX = 4096;

/** The refs of all series. A hash set of a million takes a tenth of a second to fill, one bit for each possible ref does not. */
class RefSet {
  readonly #bits: Uint32Array;
  readonly #sparse: ReadonlySet<number> | undefined;

  /** `refs` may be in any order. */
  constructor(refs: Uint32Array) {
    let max = 0;
    for (const ref of refs) if (ref > max) max = ref;
    const isDense = max <= BITS_PER_REF_MAX * refs.length;
    this.#sparse = isDense ? undefined : new Set(refs);
    this.#bits = new Uint32Array(isDense ? (max >>> 5) + 1 : 0);
    if (isDense) for (const ref of refs) this.#bits[ref >>> 5] |= 1 << (ref & 31);
  }

  has(ref: number): boolean {
    if (this.#sparse !== undefined) return this.#sparse.has(ref);
    return ((this.#bits[ref >>> 5] >>> (ref & 31)) & 1) === 1;
  }
}
