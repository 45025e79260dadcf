import type { Matcher } from '../model/matcher.ts';
import type { BlockDeletions } from './block-deletions.ts';
import type { BlockSymbols } from './block-symbols.ts';
import type { SeriesEntry } from './series-entry.ts';

/** Deleted series of one selector that are looked at. */
const SERIES_MAX = 10_000;

/** Which names or values are looked for. */
export interface GoneLabels {
  /** The symbol of one by the place of a label in a series; undefined when that label has none. */
  readonly pick: (labelSymbols: readonly number[], at: number) => number | undefined;
  /** Whether series that are not deleted have it too. */
  readonly isLeft: (text: string) => Promise<boolean>;
}

/**
 * Names or values of labels that an index knows and only deleted series have. `select` gives series as if nothing were deleted, at
 * most so many. Of more deleted series the rest is not looked at: what only they have is not found.
 */
export async function goneTexts(
  { deletions, symbols }: { readonly deletions: BlockDeletions | undefined; readonly symbols: BlockSymbols },
  { pick, isLeft }: GoneLabels,
  select: (
    matchers: readonly Matcher[],
    seriesMax: number,
  ) => AsyncIterable<{ readonly series: readonly SeriesEntry[] }>,
): Promise<ReadonlySet<string>> {
  const found = new Set<number>();
  for (const set of deletions?.matcherSets ?? [])
    for await (const { series } of select(set, SERIES_MAX)) {
      const left = new Set(deletions?.applyTo(series).map(({ labelSymbols }) => labelSymbols));
      for (const { labelSymbols } of series) if (!left.has(labelSymbols)) pickAll(labelSymbols, pick, found);
    }
  const gone = new Set<string>();
  for (const text of symbols.textsOf(found)) if (!(await isLeft(text))) gone.add(text);
  return gone;
}

function pickAll(labelSymbols: readonly number[], pick: GoneLabels['pick'], into: Set<number>): void {
  for (let at = 0; at < labelSymbols.length; at += 2) {
    const symbol = pick(labelSymbols, at);
    if (symbol !== undefined) into.add(symbol);
  }
}
