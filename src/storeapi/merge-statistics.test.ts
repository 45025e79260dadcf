import { expect, test } from 'vitest';
import { mergeStatistics } from './merge-statistics.ts';
import type { WireTsdbStatistics } from './service-messages.ts';

function head(
  series: number,
  times: readonly [number, number],
  metrics: Record<string, number>,
): WireTsdbStatistics {
  const [min_time, max_time] = times;
  const counts = Object.entries(metrics).map(([name, value]) => ({ name, value }));
  return {
    head_statistics: { num_series: series, num_label_pairs: 10, chunk_count: series, min_time, max_time },
    series_count_by_metric_name: counts,
    label_value_count_by_label_name: [],
    memory_in_bytes_by_label_name: [],
    series_count_by_label_value_pair: [],
  };
}

test('heads are added up, names by name with the largest first, times are those of heads that hold something', () => {
  const merged = mergeStatistics(
    [
      head(5, [100, 200], { up: 2, requests: 3 }),
      head(0, [0, 0], {}),
      head(4, [50, 150], { up: 2, latency: 1, __proto__x: 1 }),
    ],
    3,
  );
  expect(merged.head_statistics).toEqual({
    num_series: 9,
    num_label_pairs: 30,
    chunk_count: 9,
    min_time: 50,
    max_time: 200,
  });
  expect(merged.series_count_by_metric_name).toEqual([
    { name: 'up', value: 4 },
    { name: 'requests', value: 3 },
    { name: '__proto__x', value: 1 },
  ]);
});

test('of nothing there is nothing', () => {
  const { head_statistics, series_count_by_metric_name } = mergeStatistics([], 10);
  expect(head_statistics).toMatchObject({ num_series: 0, min_time: 0, max_time: 0 });
  expect(series_count_by_metric_name).toEqual([]);
});
