import { VeronaError } from '../../model/errors.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import type { Disk } from '../../platform/disk.ts';
import { refOffset, refSequence } from '../chunks/chunk-format.ts';
import { openMergeSources, walkInOrder } from '../compact/merge-blocks.ts';
import type { MergeSource } from '../compact/merge-source.ts';
import { SourceHeap } from '../compact/source-heap.ts';
import type { RankedSymbols } from '../index/index-writer.ts';
import type { SeriesWalk } from '../index/series-cursor.ts';
import { Largest } from '../largest.ts';
import { nextTurn } from '../next-turn.ts';

/** Counts of one metric, label name or label pair. */
export interface CardinalityLine {
  readonly name: string;
  /** Distinct values, of a label name; else 1. */
  readonly values: number;
  /** Series that have it. */
  readonly series: number;
  /** The sum over these series of the share of the whole time that each is not there for: what comes and goes. */
  readonly churn: number;
  readonly chunks: number;
  /** Of the chunks of these series, in the file. */
  readonly bytes: number;
}

/** What several blocks hold together; a series that is in more than one counts once. */
export interface CardinalityReport extends Omit<CardinalityLine, 'name' | 'values'> {
  readonly labelNames: number;
  readonly labelPairs: number;
  /** The most series first. */
  readonly metrics: readonly CardinalityLine[];
  /** The most values first. */
  readonly labels: readonly CardinalityLine[];
  /** The most series first. */
  readonly pairs: readonly CardinalityLine[];
}

export interface AnalyzedBlock {
  /** With `meta.json` and `index`; chunks are not read. */
  readonly dir: string;
  /** Bytes of its chunk files, in their order. */
  readonly chunkFileBytes: readonly number[];
}

export interface AnalyzeRequest {
  readonly disk: Disk;
  readonly blocks: readonly AnalyzedBlock[];
  /** Lines of each list. */
  readonly top: number;
  /** Only series it accepts: name, value, name, value … */
  readonly accepts?: ((labels: readonly string[]) => boolean) | undefined;
  readonly signal: AbortSignal;
}

/** Label pairs that are told apart; beyond this many an error says so. */
const PAIRS_MAX = 10_000_000;
const SERIES_PER_TURN = 4096;
const decoder = new TextDecoder();

/** Reads the indexes of blocks side by side, series by series in the order of labels. Throws `BlockFault`, and `limit` for too many pairs. */
export async function analyzeBlocks(request: AnalyzeRequest): Promise<CardinalityReport> {
  const { disk, blocks } = request;
  const inputs = blocks.map(({ dir }) => ({ dir, replica: 0 }));
  const sources = await openMergeSources(disk, inputs);
  try {
    return await new Analysis(request, sources, walkInOrder(sources)).run();
  } finally {
    await Promise.all(sources.map((source) => source.close()));
  }
}

class Count {
  series = 0;
  churn = 0;
  chunks = 0;
  bytes = 0;
}

class Analysis {
  readonly #request: AnalyzeRequest;
  readonly #sources: readonly MergeSource[];
  readonly #symbols: RankedSymbols;
  readonly #spanMs: number;
  readonly #all = new Count();
  /** By rank of the name. */
  readonly #names = new Map<number, Count>();
  /** By rank of the name, then of the value. */
  readonly #pairs = new Map<number, Map<number, Count>>();
  readonly #sizes: readonly ChunkSizes[];
  #pairCount = 0;

  constructor(request: AnalyzeRequest, sources: readonly MergeSource[], symbols: RankedSymbols) {
    this.#request = request;
    this.#sources = sources;
    this.#symbols = symbols;
    const [first, end] = [sources.map(({ meta }) => meta.minTime), sources.map(({ meta }) => meta.maxTime)];
    this.#spanMs = Math.max(1, Math.max(...end) - Math.min(...first) - 1);
    this.#sizes = request.blocks.map(({ chunkFileBytes }) => new ChunkSizes(chunkFileBytes));
  }

  async run(): Promise<CardinalityReport> {
    const { accepts, signal } = this.#request;
    const heap = new SourceHeap(this.#sources);
    const same: MergeSource[] = [];
    for (let i = 1; heap.size > 0; i++) {
      heap.popEqual(same);
      const counts = !accepts || accepts(this.#texts(same[0])) ? this.#count(same) : [];
      for (const source of same) {
        this.#sizes[source.place.order].take(source.cursor, counts);
        if (source.next()) heap.push(source);
      }
      if (i % SERIES_PER_TURN !== 0) continue;
      signal.throwIfAborted();
      await nextTurn();
    }
    for (const sizes of this.#sizes) sizes.end();
    return this.#report();
  }

  /** Counts one series; returns everything it was counted for, which gets its bytes too. */
  #count(same: readonly MergeSource[]): readonly Count[] {
    const { labels, labelCount } = same[0].cursor;
    const counts = [this.#all];
    for (let i = 0; i < 2 * labelCount; i += 2) {
      const values = entry(this.#pairs, labels[i], () => new Map<number, Count>());
      counts.push(
        entry(this.#names, labels[i], () => new Count()),
        entry(values, labels[i + 1], () => this.#newPair()),
      );
    }
    const churn = this.#missing(same);
    const chunks = same.reduce((sum, { cursor }) => sum + cursor.chunkCount, 0);
    for (const count of counts) {
      count.series++;
      count.churn += churn;
      count.chunks += chunks;
    }
    return counts;
  }

  #newPair(): Count {
    if (++this.#pairCount > PAIRS_MAX)
      throw new VeronaError(
        'limit',
        `more than ${PAIRS_MAX} label pairs; choose fewer blocks, or series with --match`,
      );
    return new Count();
  }

  /** The share of the time of all blocks that is before the series' first or after its last sample. */
  #missing(same: readonly MergeSource[]): number {
    let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const { cursor } of same)
      for (let i = 0; i < cursor.chunkCount; i++) {
        first = Math.min(first, cursor.mint[i]);
        last = Math.max(last, cursor.maxt[i]);
      }
    return first > last ? 1 : Math.max(0, 1 - (last - first) / this.#spanMs);
  }

  #texts({ cursor }: MergeSource): string[] {
    return Array.from(cursor.labels.subarray(0, 2 * cursor.labelCount), (rank) => this.#text(rank));
  }

  #text(rank: number): string {
    return decoder.decode(this.#symbols.bytesOf(rank));
  }

  #report(): CardinalityReport {
    const { top } = this.#request;
    const [metrics, labels, pairs] = [1, 2, 3].map(() => new Largest<CardinalityLine>(top));
    for (const [rank, count] of this.#names) {
      const name = this.#text(rank);
      const values = this.#pairs.get(rank) ?? new Map<number, Count>();
      labels.add(values.size, name, () => line(name, count, values.size));
      for (const [value, one] of values) {
        const text = this.#text(value);
        pairs.add(one.series, `${name}=${text}`, () => line(`${name}=${JSON.stringify(text)}`, one, 1));
        if (name === METRIC_NAME) metrics.add(one.series, text, () => line(text, one, 1));
      }
    }
    return {
      ...plain(this.#all),
      labelNames: this.#names.size,
      labelPairs: this.#pairCount,
      metrics: metrics.list(),
      labels: labels.list(),
      pairs: pairs.list(),
    };
  }
}

/** Bytes of the chunks of one block, told by where the next one begins: writers put them one behind the other. */
class ChunkSizes {
  readonly #fileBytes: readonly number[];
  #ref = -1;
  #counts: readonly Count[] = [];

  constructor(fileBytes: readonly number[]) {
    this.#fileBytes = fileBytes;
  }

  take({ chunkCount, chunkRef }: SeriesWalk, counts: readonly Count[]): void {
    for (let i = 0; i < chunkCount; i++) {
      this.#close(chunkRef[i]);
      this.#ref = chunkRef[i];
      this.#counts = counts;
    }
  }

  end(): void {
    this.#close(Number.POSITIVE_INFINITY);
  }

  #close(nextRef: number): void {
    if (this.#ref < 0) return;
    const file = refSequence(this.#ref);
    const end = refSequence(nextRef) === file ? refOffset(nextRef) : (this.#fileBytes[file] ?? 0);
    const bytes = Math.max(0, end - refOffset(this.#ref));
    for (const count of this.#counts) count.bytes += bytes;
  }
}

function line(name: string, count: Count, values: number): CardinalityLine {
  return { name, values, ...plain(count) };
}

function plain({ series, churn, chunks, bytes }: Count) {
  return { series, churn: Math.round(churn * 1000) / 1000, chunks, bytes };
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
