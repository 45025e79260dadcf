import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One query of a benchmark and what it is asked over. */
export interface BenchQuery {
  readonly title: string;
  /** PromQL, or `label_values NAME`, `label_names`, `series SELECTOR`. */
  readonly query: string;
  readonly isInstant: boolean;
}

/** The stretch of time that queries are asked over. */
export interface QueryTimes {
  readonly endMs: number;
  readonly hours: number;
  readonly stepS: number;
}

/** The queries of `bench/queries` and of `bench/instant-queries`. */
export function readQuerySet(sets: readonly ('range' | 'instant')[] = ['range']): BenchQuery[] {
  return sets.flatMap((set) => {
    const isInstant = set === 'instant';
    return readLines(isInstant ? 'instant-queries' : 'queries').map(([title, query]) => ({
      title,
      query,
      isInstant,
    }));
  });
}

function readLines(file: string): [string, string][] {
  return readFileSync(join(import.meta.dirname, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' | ').map((part) => part.trim()) as [string, string]);
}

/** The URL that asks a store for one of them. */
export function queryUrl(base: string, { query, isInstant }: BenchQuery, times: QueryTimes): string {
  const end = times.endMs / 1000;
  const start = end - times.hours * 3600;
  const [verb, rest] = [query.split(' ')[0], query.slice(query.indexOf(' ') + 1)];
  if (verb === 'label_values') return `${base}/api/v1/label/${rest}/values?start=${start}&end=${end}`;
  if (verb === 'label_names') return `${base}/api/v1/labels?start=${start}&end=${end}`;
  if (verb === 'series')
    return `${base}/api/v1/series?start=${start}&end=${end}&match[]=${encodeURIComponent(rest)}`;
  if (isInstant) return `${base}/api/v1/query?query=${encodeURIComponent(query)}&time=${end}`;
  return `${base}/api/v1/query_range?query=${encodeURIComponent(query)}&start=${start}&end=${end}&step=${times.stepS}`;
}
