import { decodeChunk, storedSampleCount } from '../../chunkenc/chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import type { BlockWriter } from '../block/block-writer.ts';
import type { Interval } from '../block/tombstones.ts';
import { cutChunk } from './cut-chunk.ts';
import { KeptChunks } from './kept-chunks.ts';
import type { ReplicaDedup } from './merge-blocks.ts';
import { type MergedChunk, mergeOverlaps, type ReplicaChunk } from './merge-overlaps.ts';
import type { MergeSource } from './merge-source.ts';

/** One chunk of one source. */
interface Piece {
  readonly source: MergeSource;
  readonly mint: number;
  readonly maxt: number;
  readonly ref: number;
  readonly deleted: readonly Interval[];
}

/** Chunks merged in one go, about. */
const GROUP_CHUNKS = 256;

/** Writes one series after the other, each out of the sources that stand on it. Chunks are copied unless they overlap or are cut. */
export class SeriesMerger {
  samplesRead = 0;
  samplesCopied = 0;
  chunksCopied = 0;
  chunksMerged = 0;
  readonly #dedup: ReplicaDedup;
  #count = 0;
  #mint = new Float64Array(256);
  #maxt = new Float64Array(256);
  #ref = new Float64Array(256);
  readonly #kept = new KeptChunks();

  constructor(dedup: ReplicaDedup) {
    this.#dedup = dedup;
  }

  /** The promise, when there is one, is to be awaited before the next call. */
  async merge(
    sources: readonly MergeSource[],
    writer: BlockWriter,
    deleted: readonly (readonly Interval[])[] | undefined,
  ): Promise<void> {
    this.#count = 0;
    const ordered = sources.length === 1 ? sources : [...sources].sort(byFirstChunk);
    const isCut =
      deleted !== undefined || ordered.some(({ tombstones, cursor }) => tombstones.has(cursor.ref));
    if (!isCut && doNotOverlap(ordered)) await this.#copyAll(ordered, writer);
    else await this.#mergePieces(piecesOf(ordered, deleted), writer);
    if (this.#count === 0) return;
    const { labels, labelCount } = sources[0].cursor;
    writer.addRanked(labels, labelCount, this.#count, this.#mint, this.#maxt, this.#ref);
  }

  async #copyAll(sources: readonly MergeSource[], writer: BlockWriter): Promise<void> {
    for (const source of sources) {
      const { cursor } = source;
      for (let i = 0; i < cursor.chunkCount; i++) {
        const ref = cursor.chunkRef[i];
        if (!source.chunks.isOpen(ref)) await source.openChunks(ref);
        this.#read(source, ref);
        if (!writer.chunks.hasRoom(source.chunks.sizeBytes)) await writer.chunks.nextFile();
        this.#copy(source, cursor.mint[i], cursor.maxt[i], writer);
        if (writer.chunks.isFull) await writer.chunks.drain();
      }
    }
  }

  /**
   * Pieces come ordered by time. Those that overlap, directly or through others, are merged together, and with the next ones
   * that do: calls for a few samples each would cost more than the samples.
   */
  async #mergePieces(pieces: readonly Piece[], writer: BlockWriter): Promise<void> {
    let begin = 0;
    for (let from = 0; from < pieces.length; ) {
      const to = endOfOverlap(pieces, from);
      const isAlone = to - from === 1 && pieces[from].deleted.length === 0;
      if ((isAlone || to - begin > GROUP_CHUNKS) && begin < from) {
        await this.#mergeGroup(pieces.slice(begin, from), writer);
        begin = from;
      }
      if (isAlone) {
        await this.#mergeGroup(pieces.slice(from, to), writer);
        begin = to;
      }
      from = to;
    }
    if (begin < pieces.length) await this.#mergeGroup(pieces.slice(begin), writer);
  }

  async #mergeGroup(group: readonly Piece[], writer: BlockWriter): Promise<void> {
    if (group.length === 1 && group[0].deleted.length === 0) {
      const [{ source, ref, mint, maxt }] = group;
      await this.#open(source, ref);
      if (!writer.chunks.hasRoom(source.chunks.sizeBytes)) await writer.chunks.nextFile();
      this.#copy(source, mint, maxt, writer);
      return;
    }
    const chunks: ReplicaChunk[] = [];
    this.#kept.clear();
    for (const { source, ref, mint, maxt, deleted } of group) {
      if (!source.chunks.isOpen(ref)) await source.openChunks(ref);
      this.#read(source, ref);
      const chunk = this.#kept.keep(source.chunks, source.place.replica, mint, maxt);
      if (deleted.length === 0) chunks.push(chunk);
      else chunks.push(...source.guard(() => cutChunk(chunk, deleted)));
    }
    this.chunksMerged += group.length;
    for (const chunk of await this.#mergeChunks(chunks, group)) {
      const { entry, mint, maxt, encoding } = chunk;
      if (!writer.chunks.hasRoom((entry ?? chunk.data).length)) await writer.chunks.nextFile();
      this.#note(mint, maxt, entry ? writer.chunks.copy(entry) : writer.chunks.append(chunk));
      writer.countSamples(encoding, chunk.sampleCount ?? storedSampleCount(encoding, chunk.data, 0));
    }
    if (writer.chunks.isFull) await writer.chunks.drain();
  }

  /** When a chunk does not decode, although its checksum is good, says whose it is. */
  async #mergeChunks(
    chunks: readonly ReplicaChunk[],
    group: readonly Piece[],
  ): Promise<readonly MergedChunk[]> {
    try {
      return mergeOverlaps(chunks, this.#dedup);
    } catch (error) {
      for (const { source, ref } of group) {
        await this.#open(source, ref);
        const { encoding, data } = source.chunks;
        if (encoding !== ChunkEncoding.aggregate)
          source.guard(() => decodeChunk(encoding, data, 0, data.length));
      }
      throw error;
    }
  }

  async #open(source: MergeSource, ref: number): Promise<void> {
    if (!source.chunks.isOpen(ref)) await source.openChunks(ref);
    this.#read(source, ref);
  }

  #read(source: MergeSource, ref: number): void {
    const { chunks } = source;
    source.guard(() => chunks.open(ref));
    this.samplesRead += chunks.sampleCount;
  }

  /** Copies the chunk that `source` has open. */
  #copy(source: MergeSource, mint: number, maxt: number, writer: BlockWriter): void {
    const { chunks } = source;
    this.#note(mint, maxt, writer.chunks.copy(chunks.entry));
    const samples = chunks.sampleCount;
    writer.countSamples(chunks.encoding, samples);
    this.samplesCopied += samples;
    this.chunksCopied++;
  }

  #note(mint: number, maxt: number, ref: number): void {
    if (this.#count === this.#mint.length) {
      this.#mint = grown(this.#mint);
      this.#maxt = grown(this.#maxt);
      this.#ref = grown(this.#ref);
    }
    this.#mint[this.#count] = mint;
    this.#maxt[this.#count] = maxt;
    this.#ref[this.#count++] = ref;
  }
}

function grown(column: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * column.length);
  larger.set(column);
  return larger;
}

function byFirstChunk({ cursor: a }: MergeSource, { cursor: b }: MergeSource): number {
  return a.chunkCount === 0 || b.chunkCount === 0 ? a.chunkCount - b.chunkCount : a.mint[0] - b.mint[0];
}

/** Whether the chunks of all sources, one after the other, ascend without overlap. */
function doNotOverlap(sources: readonly MergeSource[]): boolean {
  let last = Number.NEGATIVE_INFINITY;
  for (const { cursor } of sources)
    for (let i = 0; i < cursor.chunkCount; i++) {
      if (cursor.mint[i] <= last) return false;
      last = cursor.maxt[i];
    }
  return true;
}

/** The end of those pieces that overlap the one at `from`, directly or through others. */
function endOfOverlap(pieces: readonly Piece[], from: number): number {
  let { maxt } = pieces[from];
  let to = from + 1;
  for (; to < pieces.length && pieces[to].mint <= maxt; to++) maxt = Math.max(maxt, pieces[to].maxt);
  return to;
}

function piecesOf(
  sources: readonly MergeSource[],
  deleted: readonly (readonly Interval[])[] | undefined,
): Piece[] {
  const pieces: Piece[] = [];
  for (const source of sources) {
    const { cursor, tombstones, place } = source;
    const gone = [...(deleted?.[place.order] ?? []), ...(tombstones.get(cursor.ref) ?? [])];
    for (let i = 0; i < cursor.chunkCount; i++) {
      const mint = cursor.mint[i];
      const maxt = cursor.maxt[i];
      if (gone.some((gap) => gap.mint <= mint && gap.maxt >= maxt)) continue;
      const cut = gone.length === 0 ? gone : gone.filter((gap) => gap.mint <= maxt && gap.maxt >= mint);
      pieces.push({ source, mint, maxt, ref: cursor.chunkRef[i], deleted: cut });
    }
  }
  return pieces.sort((a, b) => a.mint - b.mint || a.maxt - b.maxt);
}
