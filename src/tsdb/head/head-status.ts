import { METRIC_NAME } from '../../model/labels.ts';
import type { Head } from './head.ts';

interface NamedCount {
  readonly name: string;
  readonly value: number;
}

/** What a head holds, and where most of it comes from; every list has its largest first, at most `top` of them. */
export function headStatus(head: Head, top: number) {
  const { index } = head.store.table;
  const valueCounts: NamedCount[] = [];
  const valueBytes: NamedCount[] = [];
  const pairs = new Largest(top);
  const metrics = new Largest(top);
  let numLabelPairs = 0;
  for (const name of index.names()) {
    let bytes = 0;
    const values = index.values(name) ?? new Map<string, number>();
    for (const [value, postings] of values) {
      const count = index.countOf(postings);
      bytes += value.length * count;
      pairs.add(`${name}=${value}`, count);
      if (name === METRIC_NAME) metrics.add(value, count);
    }
    numLabelPairs += values.size;
    valueCounts.push({ name, value: values.size });
    valueBytes.push({ name, value: bytes });
  }
  const { mint, maxt } = head.store.timeRange();
  const isEmpty = mint > maxt;
  return {
    numSeries: head.seriesCount,
    numLabelPairs,
    chunkCount: head.seriesCount,
    minTime: isEmpty ? 0 : mint,
    maxTime: isEmpty ? 0 : maxt,
    seriesCountByMetricName: metrics.list(),
    labelValueCountByLabelName: largest(valueCounts, top),
    memoryInBytesByLabelName: largest(valueBytes, top),
    seriesCountByLabelValuePair: pairs.list(),
  };
}

/** The largest of many counts, without keeping all of them. */
class Largest {
  readonly #top: number;
  #kept: NamedCount[] = [];
  #least = 0;

  constructor(top: number) {
    this.#top = top;
  }

  add(name: string, value: number): void {
    if (value <= this.#least && this.#kept.length >= this.#top) return;
    this.#kept.push({ name, value });
    if (this.#kept.length >= 4 * this.#top + 16) this.#trim();
  }

  list(): NamedCount[] {
    this.#trim();
    return this.#kept;
  }

  #trim(): void {
    this.#kept = largest(this.#kept, this.#top);
    this.#least = this.#kept.length >= this.#top ? (this.#kept.at(-1)?.value ?? 0) : 0;
  }
}

function largest(counts: NamedCount[], top: number): NamedCount[] {
  return counts.sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1)).slice(0, top);
}
