import { compareStrings } from '../model/labels.ts';
import type { WireStatistic, WireTsdbStatistics } from './service-messages.ts';

const LISTS = [
  'series_count_by_metric_name',
  'label_value_count_by_label_name',
  'memory_in_bytes_by_label_name',
  'series_count_by_label_value_pair',
] as const;

/**
 * What the heads of several processes and tenants hold together, as Thanos adds it up: replicas count each, values of a label
 * too. Lists have the largest first, at most `top` of them; a head without samples has no times.
 */
export function mergeStatistics(parts: readonly WireTsdbStatistics[], top: number): WireTsdbStatistics {
  const heads = parts.flatMap(({ head_statistics: head }) => (head ? [head] : []));
  const filled = heads.filter(({ num_series: series }) => series > 0);
  const sum = (of: (head: (typeof heads)[number]) => number) =>
    heads.reduce((total, head) => total + of(head), 0);
  const lists = LISTS.map(
    (list) =>
      [
        list,
        added(
          parts.map((part) => part[list]),
          top,
        ),
      ] as const,
  );
  return {
    head_statistics: {
      num_series: sum((head) => head.num_series),
      num_label_pairs: sum((head) => head.num_label_pairs),
      chunk_count: sum((head) => head.chunk_count),
      min_time: filled.length > 0 ? Math.min(...filled.map((head) => head.min_time)) : 0,
      max_time: filled.length > 0 ? Math.max(...filled.map((head) => head.max_time)) : 0,
    },
    ...(Object.fromEntries(lists) as Record<(typeof LISTS)[number], readonly WireStatistic[]>),
  };
}

function added(lists: readonly (readonly WireStatistic[])[], top: number): readonly WireStatistic[] {
  const values = new Map<string, number>();
  for (const { name, value } of lists.flat()) values.set(name, (values.get(name) ?? 0) + value);
  return Array.from(values, ([name, value]) => ({ name, value }))
    .sort((a, b) => b.value - a.value || compareStrings(a.name, b.name))
    .slice(0, top);
}
