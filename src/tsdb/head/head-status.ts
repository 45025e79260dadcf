import { METRIC_NAME } from '../../model/labels.ts';
import { Largest } from '../largest.ts';
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
  const pairs = new Largest<NamedCount>(top);
  const metrics = new Largest<NamedCount>(top);
  let numLabelPairs = 0;
  for (const name of index.names()) {
    let bytes = 0;
    const values = index.values(name) ?? new Map<string, number>();
    for (const [value, postings] of values) {
      const count = index.countOf(postings);
      bytes += value.length * count;
      addTo(pairs, `${name}=${value}`, count);
      if (name === METRIC_NAME) addTo(metrics, value, count);
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

function addTo(list: Largest<NamedCount>, name: string, value: number): void {
  list.add(value, name, () => ({ name, value }));
}

function largest(counts: NamedCount[], top: number): NamedCount[] {
  return counts.sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1)).slice(0, top);
}
