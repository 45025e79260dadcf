import { SERIES_ALIGN } from '../tsdb/index/index-format.ts';
import { decodePostings } from './postings.ts';
import type { ByteRange } from './ranges.ts';

/** The postings lists of all metrics of an index in their order, and that of all series. */
export interface MetricLists {
  readonly start: number;
  readonly lists: readonly ByteRange[];
  readonly all: ByteRange;
}

const LIST_OVERHEAD_BYTES = 12;

/**
 * The reference of the first series of each metric, and what follows the last series, when every series has a metric name and
 * those of a metric lie together, as in every block whose other labels sort behind `__name__`; undefined otherwise. `bytes`
 * are those of the index from the first list on.
 */
export function metricStartsOf(
  bytes: Uint8Array,
  { start, lists, all }: MetricLists,
  seriesEnd: number,
): Uint32Array | undefined {
  const starts = new Uint32Array(lists.length + 1);
  let last = -1;
  let count = 0;
  try {
    // Lists that do not follow each other come out damaged.
    for (const [i, list] of lists.entries()) {
      const refs = decodePostings(bytes.subarray(list.start - start, list.end - start));
      if (refs.length === 0 || refs[0] <= last) return undefined;
      starts[i] = refs[0];
      last = refs[refs.length - 1];
      count += refs.length;
    }
  } catch {
    // Whoever needs the damaged list finds it damaged.
    return undefined;
  }
  // Lists are padded to multiples of four bytes, which is what references take.
  if (count !== Math.floor((all.end - all.start - LIST_OVERHEAD_BYTES) / 4)) return undefined;
  starts[lists.length] = Math.ceil(seriesEnd / SERIES_ALIGN);
  return starts;
}
