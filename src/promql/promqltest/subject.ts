import { VeronaError } from '../../model/errors.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { MemoryStorage } from '../../storage/memory-storage.ts';
import { Engine } from '../engine.ts';
import { ALL_FEATURES } from '../parser/options.ts';
import type { Columns, QueryResult } from '../query-result.ts';
import type { Answer, AnswerSeries, Outcome, Subject } from './harness.ts';
import type { LoadedSeries } from './script.ts';

/** Our engine over an empty storage in memory, with every feature on, as scripts expect it. */
export function engineSubject(): Subject {
  return new EngineSubject();
}

const ENGINE = new Engine({
  features: { ...ALL_FEATURES, 'promql-delayed-name-removal': true, 'use-start-timestamps': true },
});
const NEVER_CANCELED = { signal: new AbortController().signal };

class EngineSubject implements Subject {
  readonly #storage = new MemoryStorage();

  load(series: readonly LoadedSeries[]): Promise<void> {
    return loadSeries(this.#storage, series);
  }

  async instant(query: string, t: number): Promise<Outcome> {
    return outcomeOf(await ENGINE.instant(NEVER_CANCELED, this.#storage, query, { timeMs: t }));
  }

  async range(query: string, start: number, end: number, step: number): Promise<Outcome> {
    const options = { startMs: start, endMs: end, stepMs: step };
    return outcomeOf(await ENGINE.range(NEVER_CANCELED, this.#storage, query, options));
  }

  async close(): Promise<void> {
    this.#storage.clear();
  }
}

/** Exactly one of `v` and `histogram` is there. Times in ms. */
export interface StoredSample {
  readonly t: number;
  readonly v: number | undefined;
  readonly histogram: AnyHistogram | undefined;
  readonly startT: number | undefined;
}

export interface StoredSeries {
  readonly labels: Labels;
  readonly samples: readonly StoredSample[];
}

/** Appends what a script loads. Throws `bad_data` when the storage takes a sample otherwise. */
export async function loadSeries(storage: MemoryStorage, series: readonly StoredSeries[]): Promise<void> {
  const appender = storage.appender();
  for (const { labels, samples } of series)
    for (const { t, v, histogram, startT } of samples) {
      const outcome =
        histogram === undefined
          ? appender.append(labels, t, v as number, startT)
          : appender.appendHistogram(labels, t, histogram, startT);
      if (outcome !== 'ok' && outcome !== 'duplicate')
        throw new VeronaError('bad_data', `load ${labels} at ${t}: ${outcome}`);
    }
  await appender.commit();
}

export function outcomeOf({ value, warnings, infos }: QueryResult): Outcome {
  return { answer: answerOf(value), warnings, infos };
}

function answerOf(value: QueryResult['value']): Answer {
  switch (value.type) {
    case 'scalar':
    case 'string':
      return { type: value.type, v: value.v } as Answer;
    case 'vector':
      return { type: 'vector', samples: seriesOf(value.columns).map(sampleOf) };
    case 'matrix':
      return { type: 'matrix', series: seriesOf(value.columns) };
    case 'series':
      return {
        type: 'matrix',
        series: value.series.map(({ labels, floatTimes, floats, histogramTimes, histograms }) => ({
          labels,
          floats: Array.from(floats, (v, i) => ({ t: floatTimes[i], v })),
          histograms: histograms.map((histogram, i) => ({ t: histogramTimes[i], histogram })),
        })),
      };
  }
}

/** Rows with at least one cell. */
function seriesOf({ grid, labels, values, presence, histograms }: Columns): AnswerSeries[] {
  const series = labels.map((rowLabels, row) => {
    const cells = Array.from({ length: grid.count }, (_, step) => ({
      t: grid.start + step * grid.step,
      cell: row * grid.count + step,
    }));
    return {
      labels: rowLabels,
      floats: cells.filter(({ cell }) => presence[cell] === 1).map(({ t, cell }) => ({ t, v: values[cell] })),
      histograms: cells
        .filter(({ cell }) => presence[cell] === 2)
        .map(({ t, cell }) => ({ t, histogram: histograms![cell]! })),
    };
  });
  return series.filter(({ floats, histograms: found }) => floats.length + found.length > 0);
}

function sampleOf({ labels, floats, histograms }: AnswerSeries) {
  return { labels, v: floats[0]?.v ?? 0, histogram: histograms[0]?.histogram };
}
