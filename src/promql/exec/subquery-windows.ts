import type { FloatHistogram } from '../../model/histogram.ts';
import type { SeriesSamples } from '../functions/window.ts';
import type { SubqueryPlan } from '../plan/node.ts';
import { type Batch, countSamples, Presence } from './batch.ts';
import { timeAt } from './grid.ts';
import type { Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import type { WindowBlock, WindowSource } from './window-call.ts';

/** The windows of a subquery: the values of its expression on a grid of its own, as if they were samples. */
export class SubqueryWindows implements WindowSource {
  readonly range: number;
  readonly at: number | undefined;
  readonly offset: number;
  readonly mode = 'plain';
  readonly #context: QueryContext;
  readonly #inner: Operator;

  constructor(context: QueryContext, plan: SubqueryPlan, inner: Operator) {
    this.range = plan.range;
    this.at = plan.at;
    this.offset = plan.offset;
    this.#context = context;
    this.#inner = inner;
  }

  async next(): Promise<WindowBlock | undefined> {
    const batch = await this.#inner.next();
    if (batch === undefined) return undefined;
    const held = countSamples(batch);
    this.#context.hold(held);
    this.#context.release(held);
    const { count, labels, nameDropped } = batch;
    return {
      count,
      labels,
      nameDropped,
      open: () => {},
      samplesOf: (row) => this.#samplesOf(batch, row),
      kernelRow: () => undefined,
    };
  }

  #samplesOf(batch: Batch, row: number): SeriesSamples {
    const { grid } = this.#inner;
    const floatTimes = new Float64Array(grid.count);
    const floats = new Float64Array(grid.count);
    const histogramTimes: number[] = [];
    const histograms: FloatHistogram[] = [];
    let floatCount = 0;
    for (let i = 0; i < grid.count; i++) {
      const cell = row * grid.count + i;
      if (batch.presence[cell] === Presence.float) {
        floatTimes[floatCount] = timeAt(grid, i);
        floats[floatCount++] = batch.values[cell];
      } else if (batch.presence[cell] === Presence.histogram) {
        histogramTimes.push(timeAt(grid, i));
        histograms.push(withoutResetHint(batch.histograms![cell]!));
      }
    }
    return { floatTimes, floats, floatCount, histogramTimes, histograms };
  }
}

/** Samples in between were skipped, so what a hint says of the one before no longer holds. */
function withoutResetHint(histogram: FloatHistogram): FloatHistogram {
  const { counterResetHint: hint } = histogram;
  return hint === 'reset' || hint === 'not_reset' ? { ...histogram, counterResetHint: 'unknown' } : histogram;
}
