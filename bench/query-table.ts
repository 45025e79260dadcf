import type { Figure } from './figure.ts';
import { formatTable } from './table.ts';

/** Prints a row per query: wall, CPU and peak memory of each store, and the first store's wall time over each other's. */
export function printQueryTable(
  titles: readonly string[],
  results: ReadonlyMap<string, ReadonlyMap<string, Figure>>,
): void {
  const stores = [...results.keys()];
  const figure = (store: string, title: string) => results.get(store)!.get(title)!;
  const ratio = (store: string, title: string) =>
    figure(stores[0], title).wallMs / figure(store, title).wallMs;
  const head = [
    'query',
    ...stores.flatMap((store) => [`${store} ms`, 'CPU', '+MB']),
    ...stores.slice(1).map((store) => `/ ${store}`),
  ];
  const rows = titles.map((title) => [
    title,
    ...stores.flatMap((store) => cells(figure(store, title))),
    ...stores.slice(1).map((store) => ratio(store, title).toFixed(2)),
  ]);
  const means = stores.slice(1).map((store) => geometricMean(titles.map((title) => ratio(store, title))));
  rows.push(['geometric mean', ...stores.flatMap(() => ['', '', '']), ...means]);
  console.log(formatTable(head, rows));
}

function cells({ wallMs, cpuMs, peakBytes }: Figure): string[] {
  return [wallMs.toFixed(1), cpuMs.toFixed(0), (peakBytes / 1e6).toFixed(0)];
}

function geometricMean(ratios: readonly number[]): string {
  return Math.exp(ratios.reduce((sum, value) => sum + Math.log(value), 0) / ratios.length).toFixed(2);
}
