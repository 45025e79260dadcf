import type { StepGrid, WindowFunction } from '../../kernel/query-kernel.ts';
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
  #times: Float64Array | undefined;
  #floats: Float64Array | undefined;

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
      kernelRow: (row, func, grid) => this.#kernelRow(batch, row, func, grid),
    };
  }

  /** The kernel has no histograms. */
  #kernelRow(batch: Batch, row: number, func: WindowFunction, grid: StepGrid): number | undefined {
    const cells = batch.presence.subarray(row * batch.steps, (row + 1) * batch.steps);
    if (batch.histograms !== undefined && cells.includes(Presence.histogram)) return undefined;
    const { kernel } = this.#context;
    const { floatTimes, floats, floatCount } = this.#floatsOf(batch, row);
    if (floatCount === 0) return 0;
    kernel.setSamples(floatTimes.subarray(0, floatCount), floats.subarray(0, floatCount));
    return kernel.evaluateWindows(func, grid, this.range);
  }

  /** Good until the next row is asked for. */
  #floatsOf(batch: Batch, row: number): Pick<SeriesSamples, 'floatTimes' | 'floats' | 'floatCount'> {
    const { grid } = this.#inner;
    const { presence, values } = batch;
    const floatTimes = (this.#times ??= new Float64Array(grid.count));
    const floats = (this.#floats ??= new Float64Array(grid.count));
    let floatCount = 0;
    for (let i = 0, cell = row * grid.count; i < grid.count; i++, cell++) {
      if (presence[cell] !== Presence.float) continue;
      floatTimes[floatCount] = timeAt(grid, i);
      floats[floatCount++] = values[cell];
    }
    return { floatTimes, floats, floatCount };
  }

  #samplesOf(batch: Batch, row: number): SeriesSamples {
    const { grid } = this.#inner;
    const histogramTimes: number[] = [];
    const histograms: FloatHistogram[] = [];
    if (batch.histograms !== undefined)
      for (let i = 0; i < grid.count; i++) {
        const cell = row * grid.count + i;
        if (batch.presence[cell] !== Presence.histogram) continue;
        histogramTimes.push(timeAt(grid, i));
        histograms.push(withoutResetHint(batch.histograms[cell]!));
      }
    return { ...this.#floatsOf(batch, row), histogramTimes, histograms };
  }
}

/** Samples in between were skipped, so what a hint says of the one before no longer holds. */
function withoutResetHint(histogram: FloatHistogram): FloatHistogram {
  const { counterResetHint: hint } = histogram;
  return hint === 'reset' || hint === 'not_reset' ? { ...histogram, counterResetHint: 'unknown' } : histogram;
}
