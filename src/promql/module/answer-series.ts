import type { FloatHistogram } from '../../model/histogram.ts';
import { Labels } from '../../model/labels.ts';
import { Presence } from '../exec/batch.ts';
import type { Columns, QueryValue } from '../query-result.ts';

/** A series of an answer: samples as `[ms since the epoch, value]` in order of time. */
export interface AnswerSeries {
  readonly labels: Labels;
  readonly samples: readonly (readonly [t: number, value: number | FloatHistogram])[];
}

/** An answer as a list of series, in the order of the answer; a scalar is one series without labels, a string is none. */
export function seriesOf(value: QueryValue): AnswerSeries[] {
  switch (value.type) {
    case 'string':
      return [];
    case 'scalar':
      return [{ labels: Labels.empty, samples: [[value.t, value.v]] }];
    case 'vector':
    case 'matrix':
      return value.columns.labels.map((labels, row) => ({ labels, samples: rowOf(value.columns, row) }));
    case 'series':
      return value.series.map(({ labels, floatTimes, floats, histogramTimes, histograms }) => {
        const found: [number, number | FloatHistogram][] = histograms.map((h, i) => [histogramTimes[i], h]);
        for (let i = 0; i < floats.length; i++) found.push([floatTimes[i], floats[i]]);
        return { labels, samples: found.sort(([a], [b]) => a - b) };
      });
  }
}

function rowOf({ grid, values, presence, histograms }: Columns, row: number): AnswerSeries['samples'] {
  const samples: [number, number | FloatHistogram][] = [];
  for (let step = 0; step < grid.count; step++) {
    const cell = row * grid.count + step;
    if (presence[cell] === Presence.none) continue;
    const isHistogram = presence[cell] === Presence.histogram;
    samples.push([grid.start + step * grid.step, isHistogram ? histograms![cell]! : values[cell]]);
  }
  return samples;
}
