import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const STEP_S = 15;

/** The queries of `bench/queries` as [title, query]. */
export function readQuerySet(): (readonly [string, string])[] {
  return readFileSync(join(import.meta.dirname, 'queries'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' | ').map((part) => part.trim()) as [string, string]);
}

/** The URL that asks a store for one of them over the hour before `endMs`. */
export function queryUrl(base: string, query: string, endMs: number): string {
  const start = endMs / 1000 - 3600;
  const end = endMs / 1000;
  const [verb, rest] = [query.split(' ')[0], query.slice(query.indexOf(' ') + 1)];
  if (verb === 'label_values') return `${base}/api/v1/label/${rest}/values?start=${start}&end=${end}`;
  if (verb === 'label_names') return `${base}/api/v1/labels?start=${start}&end=${end}`;
  if (verb === 'series')
    return `${base}/api/v1/series?start=${start}&end=${end}&match[]=${encodeURIComponent(rest)}`;
  return `${base}/api/v1/query_range?query=${encodeURIComponent(query)}&start=${start}&end=${end}&step=${STEP_S}`;
}
