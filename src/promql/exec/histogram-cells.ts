import { METRIC_NAME } from '../../model/labels.ts';
import { warningText } from '../annotations.ts';
import type { HistogramTotals } from '../functions/histogram-totals.ts';
import type { AggregatePlan } from '../plan/node.ts';
import { HAS_FLOAT } from './accumulator.ts';
import { type Batch, Presence, setHistogram } from './batch.ts';
import type { QueryContext } from './query-context.ts';

const HAS_HISTOGRAM = 2;
/** A histogram did not fit the ones before it. */
const IS_SPOILT = 4;
/** … and before that there was a float. */
const HAS_FLOAT_BEFORE = 8;

/** In a cell that began with a float no histogram counts; else none after one that does not fit. */
export function addHistograms(
  group: number,
  batch: Batch,
  row: number,
  seen: Float64Array,
  totals: HistogramTotals,
  { plan, context }: { readonly plan: AggregatePlan; readonly context: QueryContext },
): void {
  for (let i = 0; i < batch.steps; i++) {
    const from = row * batch.steps + i;
    if (batch.presence[from] !== Presence.histogram) continue;
    const cell = group * batch.steps + i;
    const before = seen[cell];
    seen[cell] = before | HAS_HISTOGRAM;
    const beganWithFloat = (before & HAS_FLOAT) !== 0 && !totals.has(cell);
    if ((before & IS_SPOILT) !== 0 || beganWithFloat) continue;
    if (totals.add(cell, batch.histograms![from]!)) continue;
    const name = batch.labels.at(row).get(METRIC_NAME);
    context.warn(warningText.mixedSchemas(name), plan.child.span);
    // Floats that come later are not looked at.
    seen[cell] = IS_SPOILT | (before & HAS_FLOAT ? HAS_FLOAT_BEFORE : 0);
  }
}

/** A cell that saw floats and histograms has no result; one that saw histograms only has their total, if they fit together. */
export function finishHistogram(
  into: Batch,
  cell: number,
  seen: number,
  totals: HistogramTotals,
  { plan, context }: { readonly plan: AggregatePlan; readonly context: QueryContext },
): void {
  const spoilt = (seen & IS_SPOILT) !== 0;
  const info = (message: string) => context.info(message, plan.child.span);
  const isMixed = (seen & HAS_FLOAT_BEFORE) !== 0 || (!spoilt && seen === (HAS_FLOAT | HAS_HISTOGRAM));
  if (isMixed) context.warn(warningText.mixedFloatsHistogramsInAggregation(), plan.child.span);
  if (isMixed || spoilt) {
    totals.remark(cell, info);
    return;
  }
  const warn = (message: string) => context.warn(message, plan.child.span);
  setHistogram(into, cell, totals.finish(cell, { warn, info }));
}
