import { VeronaError } from '../../model/errors.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
import { compareLabels, type Labels } from '../../model/labels.ts';
import { assert } from '../../platform/assert.ts';
import { extendedRange } from '../functions/extended-range.ts';
import type { SeriesSamples } from '../functions/window.ts';
import type { PlanNode } from '../plan/node.ts';
import { OperatorBuilder } from './build-operators.ts';
import type { Grid } from './grid.ts';
import type { QueryContext } from './query-context.ts';
import type { WindowSource } from './window-call.ts';

/** The samples of one series as they are, ordered by time: the answer to an instant query for a range vector. */
export interface RawSeries {
  readonly labels: Labels;
  /** ms. */
  readonly floatTimes: Float64Array;
  readonly floats: Float64Array;
  readonly histogramTimes: readonly number[];
  readonly histograms: readonly FloatHistogram[];
}

/** The windows of a range vector at the one step of `grid`, by label set; series without samples are left out. */
export async function readRawSeries(context: QueryContext, plan: PlanNode, grid: Grid): Promise<RawSeries[]> {
  assert(
    plan.kind === 'windows' || plan.kind === 'subquery',
    'only selectors and subqueries are range vectors',
  );
  const source = new OperatorBuilder(context).windows(plan, grid);
  const end = (source.at ?? grid.start) - source.offset;
  const found: RawSeries[] = [];
  for (let block = await source.next(); block !== undefined; block = await source.next()) {
    const labels =
      context.delayedNameRemoval && block.nameDropped ? block.labels.withoutMetadata() : block.labels;
    block.open();
    for (let row = 0; row < block.count; row++) {
      const series = windowOf(
        block.nameDropped?.[row] ? labels.at(row) : block.labels.at(row),
        block.samplesOf(row),
        { start: end - source.range, end, mode: source.mode, lookback: context.lookbackMs },
      );
      context.hold(series.floats.length + series.histograms.length);
      if (series.floats.length + series.histograms.length > 0) found.push(series);
    }
  }
  return found.sort((a, b) => {
    context.compared();
    return compareLabels(a.labels, b.labels);
  });
}

interface Range {
  /** ms; open on the left. */
  readonly start: number;
  readonly end: number;
  readonly mode: WindowSource['mode'];
  /** How far an extended range looks beyond its ends, ms. */
  readonly lookback: number;
}

function windowOf(labels: Labels, samples: SeriesSamples, { start, end, mode, lookback }: Range): RawSeries {
  if (mode === 'plain') return cut(labels, samples, start, end);
  const smoothed = mode === 'smoothed';
  const around = cut(labels, samples, start - lookback, smoothed ? end + lookback : end);
  if (around.histograms.length > 0)
    throw new VeronaError('execution', `${mode} modifier is not supported with histograms`);
  const { times, floats } = extendedRange(
    { times: around.floatTimes, floats: around.floats },
    start,
    end,
    smoothed,
  );
  return { ...around, floatTimes: times, floats };
}

function cut(labels: Labels, samples: SeriesSamples, start: number, end: number): RawSeries {
  const inside = (t: number) => t > start && t <= end;
  const times = samples.floatTimes.subarray(0, samples.floatCount);
  const from = times.findIndex(inside);
  const to = times.findLastIndex(inside) + 1;
  return {
    labels,
    floatTimes: from === -1 ? new Float64Array() : times.slice(from, to),
    floats: from === -1 ? new Float64Array() : samples.floats.slice(from, to),
    histogramTimes: samples.histogramTimes.filter(inside),
    histograms: samples.histograms.filter((_, i) => inside(samples.histogramTimes[i])),
  };
}
