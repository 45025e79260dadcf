import type { StoredSample, StoredSeries } from '../promqltest/subject.ts';

export type CaseSample = StoredSample;
export type CaseSeries = StoredSeries;

/** When a query is asked: once, or at start, start + step, … up to end. ms. */
export type Asked =
  | { readonly kind: 'instant'; readonly t: number }
  | { readonly kind: 'range'; readonly start: number; readonly end: number; readonly step: number };

/** A question over some data. */
export interface Case {
  readonly series: readonly CaseSeries[];
  readonly query: string;
  readonly asked: Asked;
}

/** The case as a script of Prometheus' test language, as far as that can say it: histograms only by their count and sum. */
export function showCase({ series, query, asked }: Case): string {
  const lines = series.map(({ labels, samples }) => {
    const points = samples.map(({ t, v, histogram }) => {
      const value = histogram === undefined ? showFloat(v as number) : JSON.stringify(histogram);
      return `${t / 1000}:${value}`;
    });
    return `  ${labels} ${points.join(' ')}`;
  });
  const when =
    asked.kind === 'instant'
      ? `at ${asked.t / 1000}`
      : `from ${asked.start / 1000} to ${asked.end / 1000} step ${asked.step / 1000}`;
  return `${query}\n  ${when}\n${lines.join('\n')}`;
}

function showFloat(v: number): string {
  return Object.is(v, -0) ? '-0' : String(v);
}
