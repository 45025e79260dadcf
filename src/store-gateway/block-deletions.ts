import type { BucketBlock } from '../blocks/block-catalog.ts';
import { compileMatchers, type DeletionRequest, needsDeletion } from '../blocks/deletion-request.ts';
import type { Matcher } from '../model/matcher.ts';
import { addInterval, type Interval } from '../tsdb/block/tombstones.ts';
import { windowsOfDeleted } from '../tsdb/downsample/cut-aggregates.ts';
import type { BlockSymbols } from './block-symbols.ts';
import { ExternalLabels } from './external-labels.ts';
import type { IndexHeader } from './index-header.ts';
import type { SeriesEntry } from './series-entry.ts';

interface Deletion {
  readonly matcherSets: readonly (readonly Matcher[])[];
  readonly interval: Interval;
}

/** What the deletion requests of a tenant leave out of one block. */
export class BlockDeletions {
  readonly #symbols: BlockSymbols;
  readonly #deletions: readonly Deletion[];

  private constructor(symbols: BlockSymbols, deletions: readonly Deletion[]) {
    this.#symbols = symbols;
    this.#deletions = deletions;
  }

  /** Undefined when no request concerns the block. */
  static of(
    requests: readonly DeletionRequest[],
    block: BucketBlock,
    header: IndexHeader,
    symbols: BlockSymbols,
  ): BlockDeletions | undefined {
    const { meta } = block;
    const external = ExternalLabels.of(block);
    const deletions = requests
      .filter((request) => needsDeletion(meta, request))
      .map((request) => ({
        interval: intervalOf(request, meta.resolutionMs),
        matcherSets: compileMatchers(request)
          .map((set) => (external ? external.remaining(set) : set))
          .filter((set) => set !== undefined && mayMatch(set, header)) as Deletion['matcherSets'],
      }))
      .filter(({ matcherSets }) => matcherSets.length > 0);
    return deletions.length > 0 ? new BlockDeletions(symbols, deletions) : undefined;
  }

  /** What selects series that may be gone, in part or whole. */
  get matcherSets(): readonly (readonly Matcher[])[] {
    return this.#deletions.flatMap(({ matcherSets }) => matcherSets);
  }

  /** The series of which something is left. */
  applyTo(series: readonly SeriesEntry[]): SeriesEntry[] {
    return series.map((entry) => this.#apply(entry)).filter(({ chunks }) => chunks.length > 0);
  }

  /** What is left of a series: without chunks that are deleted whole, and with the intervals that cut others. */
  #apply(entry: SeriesEntry): SeriesEntry {
    const deleted = this.#intervals(entry);
    if (deleted.length === 0) return entry;
    const isGone = (mint: number, maxt: number) =>
      deleted.some((gap) => gap.mint <= mint && gap.maxt >= maxt);
    return { ...entry, chunks: entry.chunks.filter(({ mint, maxt }) => !isGone(mint, maxt)), deleted };
  }

  /** Ascending, apart from each other. */
  #intervals(entry: SeriesEntry): readonly Interval[] {
    let intervals: readonly Interval[] = [];
    for (const { matcherSets, interval } of this.#deletions)
      if (
        matcherSets.some((set) =>
          set.every((matcher) => matcher.matches(this.#symbols.valueOf(entry.labelSymbols, matcher.name))),
        )
      )
        intervals = addInterval(intervals, interval);
    return intervals;
  }
}

/** Downsampled, a window is left out of which any part is deleted. */
function intervalOf({ mint, maxt }: DeletionRequest, resolutionMs: number): Interval {
  return resolutionMs === 0 ? { mint, maxt } : windowsOfDeleted([{ mint, maxt }], resolutionMs)[0];
}

/** A set that asks for a value which no series of the block has selects nothing in it. */
function mayMatch(set: readonly Matcher[], header: IndexHeader): boolean {
  return set.every(
    ({ type, name, value }) => type !== '=' || value === '' || header.postings(name, value) !== undefined,
  );
}
