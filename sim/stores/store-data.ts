import { Labels as LabelSet, type Labels } from '../../src/model/labels.ts';
import type { Random } from '../../src/platform/random.ts';

export const T0 = 1_700_000_000_000;
export const STEP_MS = 15_000;

export interface SimulatedSeries {
  /** Without external labels. */
  readonly labels: Labels;
  readonly samples: readonly (readonly [t: number, v: number])[];
}

/** What one store has, and what it says of itself. */
export interface StoreData {
  readonly address: string;
  readonly external: Labels;
  readonly series: readonly SimulatedSeries[];
  readonly mint: number;
  readonly maxt: number;
}

/** Clusters of one to three replicas each: the same samples, but for gaps of their own. */
export function drawStores(random: Random): StoreData[] {
  const stores: StoreData[] = [];
  const steps = 20 + pick(random, 300);
  for (let cluster = 0; cluster < 1 + pick(random, 3); cluster++) {
    const seriesCount = 1 + pick(random, 12);
    for (let replica = 0; replica < 1 + pick(random, 3); replica++) {
      const external = LabelSet.from({ cluster: `c${cluster}`, replica: `r${replica}` });
      const series = Array.from({ length: seriesCount }, (_, k) => drawSeries(random, cluster, k, steps));
      stores.push({
        address: `store-${cluster}-${replica}:10901`,
        external,
        series,
        mint: T0,
        maxt: T0 + steps * STEP_MS,
      });
    }
  }
  return stores;
}

/** What it is called and what it measures depend on cluster and number only; its gaps do not. */
function drawSeries(random: Random, cluster: number, k: number, steps: number): SimulatedSeries {
  // Names before and behind the external ones, so that these change the order.
  const labels = LabelSet.from({
    __name__: `m${k % 3}`,
    ...(k % 2 === 0 && { a: `${k % 5}` }),
    instance: `i${k}`,
    ...(k % 4 === 0 && { zone: 'z' }),
  });
  const [gapStart, gapLength] = [pick(random, steps), pick(random, 4) * pick(random, 20)];
  const samples: [number, number][] = [];
  for (let i = 0; i < steps; i++)
    if (i < gapStart || i >= gapStart + gapLength)
      samples.push([T0 + i * STEP_MS, (cluster + 1) * 1000 + k * 100 + (i % 97)]);
  return { labels, samples };
}

/** A whole number from 0 below `end`. */
export function pick(random: Random, end: number): number {
  return Math.floor(random.next() * end);
}
