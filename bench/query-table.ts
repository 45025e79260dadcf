import type { Figure } from './figure.ts';
import { formatTable } from './table.ts';

/** Prints a row per query: wall, CPU and peak memory of each store, and the first store's wall time and CPU over each other's. */
export function printQueryTable(
  titles: readonly string[],
  results: ReadonlyMap<string, ReadonlyMap<string, Figure>>,
): void {
  const stores = [...results.keys()];
  const figure = (store: string, title: string) => results.get(store)!.get(title)!;
  const ratio = (store: string, title: string, of: (figure: Figure) => number) =>
    of(figure(stores[0], title)) / of(figure(store, title));
  const head = [
    'query',
    ...stores.flatMap((store) => [`${store} ms`, 'CPU', '+MB']),
    ...stores.slice(1).flatMap((store) => [`/ ${store}`, 'CPU']),
  ];
  const rows = titles.map((title) => [
    title,
    ...stores.flatMap((store) => cells(figure(store, title))),
    ...stores.slice(1).flatMap((store) => MEASURES.map((of) => ratio(store, title, of).toFixed(2))),
  ]);
  const means = stores
    .slice(1)
    .flatMap((store) => MEASURES.map((of) => geometricMean(titles.map((title) => ratio(store, title, of)))));
  rows.push(['geometric mean', ...stores.flatMap(() => ['', '', '']), ...means]);
  console.log(formatTable(head, rows));
}

/** CPU is counted in ticks of 10 ms: less than half of one in all runs together says nothing. */
const MEASURES: readonly ((figure: Figure) => number)[] = [
  ({ wallMs }) => wallMs,
  ({ cpuMs }) => Math.max(cpuMs, 0.5),
];

function cells({ wallMs, cpuMs, peakBytes }: Figure): string[] {
  return [wallMs.toFixed(1), cpuMs.toFixed(0), (peakBytes / 1e6).toFixed(0)];
}

function geometricMean(ratios: readonly number[]): string {
  return Math.exp(ratios.reduce((sum, value) => sum + Math.log(value), 0) / ratios.length).toFixed(2);
}
