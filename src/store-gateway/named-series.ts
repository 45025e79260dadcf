import { compareLabelBytes } from '../storage/compare-label-bytes.ts';
import type { BlockDeletions } from './block-deletions.ts';
import type { BlockIndex } from './block-index.ts';
import type { BlockSymbols } from './block-symbols.ts';
import type { ExternalLabels } from './external-labels.ts';
import type { FetchedRanges } from './ranges.ts';
import type { SliceSize } from './read-shares.ts';
import type { ChunkMeta, EntryWish, SeriesEntry } from './series-entry.ts';

/** Series of a block in their order, and where their entries were read. */
export interface FoundSeries {
  readonly series: readonly SeriesEntry[];
  readonly fetched: FetchedRanges;
}

/** A series under the name it is known by. */
export type NamedSeries = Omit<SeriesEntry, 'ref' | 'labelSymbols'> & { readonly labelBytes: Uint8Array };

/** Series under their own labels. */
export function namedSeries(series: readonly SeriesEntry[], symbols: BlockSymbols): NamedSeries[] {
  const labels = symbols.labelBytes(series.map(({ labelSymbols }) => labelSymbols));
  return series.map(({ chunks, deleted }, i) => ({ labelBytes: labels[i], chunks, deleted }));
}

interface Renaming {
  readonly index: BlockIndex;
  readonly symbols: BlockSymbols;
  readonly deletions: BlockDeletions | undefined;
  readonly slice: SliceSize;
}

/** Where the entry of a series is that has got more labels. */
interface Renamed {
  readonly labelBytes: Uint8Array;
  readonly ref: number;
  readonly fetched: FetchedRanges;
}

/**
 * Series under labels that are added to theirs, at most `limit`, in the order of these, which may be another one: all are looked
 * up and sorted first. `found` needs no chunks: the places of all chunks would take ten times what the entries do, and are decoded from
 * these some series at a time.
 */
export async function* renamedSeries(
  found: AsyncIterable<FoundSeries>,
  block: Renaming,
  external: ExternalLabels,
  wish: EntryWish,
  limit: number,
): AsyncGenerator<NamedSeries[]> {
  const all: Renamed[] = [];
  for await (const { series, fetched } of found) {
    const labels = block.symbols.labelBytes(series.map(({ labelSymbols }) => labelSymbols));
    for (const [i, { ref }] of series.entries())
      all.push({ labelBytes: external.addTo(labels[i]), ref, fetched });
  }
  all.sort((a, b) => compareLabelBytes(a.labelBytes, b.labelBytes));
  const { series: seriesMax, decodedBytes } = block.slice;
  const atOnce = Math.max(1, Math.min(seriesMax, Math.floor(decodedBytes / block.index.entryGuessBytes)));
  let left = limit;
  for (let i = 0; i < all.length && left > 0; ) {
    let end = Math.min(all.length, i + atOnce);
    while (end < all.length && isSame(all[end - 1], all[end])) end++;
    const joined = joinEqual(all.slice(i, end).flatMap((one) => decoded(one, block, wish))).slice(0, left);
    yield joined;
    left -= joined.length;
    i = end;
  }
}

/** One series, or none when all of it is deleted. */
function decoded(
  { labelBytes, ref, fetched }: Renamed,
  { index, deletions }: Renaming,
  wish: EntryWish,
): NamedSeries[] {
  if (wish.labelsOnly) return [{ labelBytes, chunks: [] }];
  const found = index.decodeSeries(fetched, Uint32Array.of(ref), wish);
  const left = deletions?.applyTo(found) ?? found;
  return left.map(({ chunks, deleted }) => ({ labelBytes, chunks, deleted }));
}

function isSame(a: Renamed | NamedSeries, b: Renamed | NamedSeries): boolean {
  return compareLabelBytes(a.labelBytes, b.labelBytes) === 0;
}

/** Series that differ only in a label that gave way are one; its deleted samples stay with the chunks they are of. */
function joinEqual(sorted: readonly NamedSeries[]): NamedSeries[] {
  const joined: NamedSeries[] = [];
  for (const entry of sorted) {
    const last = joined.at(-1);
    if (!last || !isSame(last, entry)) joined.push(entry);
    else
      joined[joined.length - 1] = {
        ...last,
        chunks: [...withDeleted(last), ...withDeleted(entry)],
        deleted: [],
      };
  }
  return joined;
}

function withDeleted({ chunks, deleted }: NamedSeries): ChunkMeta[] {
  return chunks.map((chunk) => ({ ...chunk, deleted: chunk.deleted ?? deleted }));
}
