import type { WindowFunction } from '../../kernel/query-kernel.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
import { isStaleAt } from '../../model/sample.ts';
import { type Batch, Presence } from './batch.ts';
import type { Grid } from './grid.ts';
import type { Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import type { WindowBlock, WindowSource } from './window-call.ts';

/**
 * How many samples each step of a query looks at, as Prometheus counts them: one for a selector, all in the window for a
 * range, the values of its expression for a subquery. A query without statistics has none, and pays nothing.
 */
export class StepCounts {
  readonly #scopes = new Map<Grid, Float64Array>();
  readonly #parts: { readonly from: Grid; readonly to: Grid; readonly isOnce: boolean }[] = [];

  /** The counts of the steps of a grid, to be added to. */
  of(grid: Grid): Float64Array {
    let counts = this.#scopes.get(grid);
    if (counts === undefined) this.#scopes.set(grid, (counts = new Float64Array(grid.count)));
    return counts;
  }

  /** What `from` counts belongs to `to`: step by step, or all of it to each step when it runs `once` for all. */
  add(from: Grid, to: Grid, isOnce: boolean): void {
    this.#parts.push({ from, to, isOnce });
  }

  /** The counts of a grid with all that belongs to it. */
  total(grid: Grid): Float64Array {
    const counts = this.of(grid).slice();
    for (const { from, to, isOnce } of this.#parts) {
      if (to !== grid) continue;
      const part = this.total(from);
      const whole = part.reduce((sum, count) => sum + count, 0);
      for (let i = 0; i < counts.length; i++) counts[i] += isOnce ? whole : part[i];
    }
    return counts;
  }
}

/** A selector whose samples are counted. Its rows do not stay in the kernel. */
export class CountedSelect implements Operator {
  readonly grid: Grid;
  readonly #operator: Operator;
  readonly #counts: Float64Array;

  constructor(operator: Operator, counts: Float64Array) {
    this.grid = operator.grid;
    this.#operator = operator;
    this.#counts = counts;
  }

  async next(): Promise<Batch | undefined> {
    const batch = await this.#operator.next();
    if (batch === undefined) return undefined;
    const { presence, steps, histograms } = batch;
    for (let cell = 0; cell < presence.length; cell++)
      if (presence[cell] === Presence.float) this.#counts[cell % steps]++;
      else if (presence[cell] === Presence.histogram)
        this.#counts[cell % steps] += sizeOf(histograms![cell]!);
    return batch;
  }
}

/** Windows whose samples are counted at each step. */
export class CountedWindows implements WindowSource {
  readonly range: number;
  readonly at: number | undefined;
  readonly offset: number;
  readonly mode: WindowSource['mode'];
  readonly #context: QueryContext;
  readonly #source: WindowSource;
  readonly #grid: Grid;
  readonly #counts: Float64Array;

  constructor(context: QueryContext, source: WindowSource, grid: Grid, counts: Float64Array) {
    this.range = source.range;
    this.at = source.at;
    this.offset = source.offset;
    this.mode = source.mode;
    this.#context = context;
    this.#source = source;
    this.#grid = grid;
    this.#counts = counts;
  }

  async next(): Promise<WindowBlock | undefined> {
    const block = await this.#source.next();
    return (
      block && {
        count: block.count,
        labels: block.labels,
        nameDropped: block.nameDropped,
        open: () => block.open(),
        samplesOf: (i) => this.#counted(block.samplesOf(i)),
        kernelRow: (i, func, grid) => this.#countedRow(block, i, func, grid),
      }
    );
  }

  /** The samples are still there when their row is computed, so that they can be counted; then the row is put back. */
  #countedRow(
    block: WindowBlock,
    i: number,
    func: WindowFunction,
    grid: Parameters<WindowBlock['kernelRow']>[2],
  ): number | undefined {
    const found = block.kernelRow(i, func, grid);
    if (found === undefined) return undefined;
    const { kernel } = this.#context;
    const row = found > 0 ? kernel.row().slice() : undefined;
    if (kernel.evaluateWindows('count_over_time', grid, this.range) > 0) {
      const inWindows = kernel.row();
      const words = new Uint32Array(inWindows.buffer, inWindows.byteOffset, 2 * inWindows.length);
      for (let step = 0; step < inWindows.length; step++)
        if (!isStaleAt(words, step)) this.#counts[step] += inWindows[step];
    }
    if (row !== undefined) kernel.setRow(row);
    return found;
  }

  #counted(samples: ReturnType<WindowBlock['samplesOf']>): ReturnType<WindowBlock['samplesOf']> {
    const { floatTimes, floatCount, histogramTimes, histograms } = samples;
    let [f0, f1, h0, h1] = [0, 0, 0, 0];
    for (let i = 0; i < this.#grid.count; i++) {
      const end = (this.at ?? this.#grid.start + i * this.#grid.step) - this.offset;
      const start = end - this.range;
      while (f1 < floatCount && floatTimes[f1] <= end) f1++;
      while (f0 < f1 && floatTimes[f0] <= start) f0++;
      while (h1 < histogramTimes.length && histogramTimes[h1] <= end) h1++;
      while (h0 < h1 && histogramTimes[h0] <= start) h0++;
      this.#counts[i] += f1 - f0;
      for (let h = h0; h < h1; h++) this.#counts[i] += sizeOf(histograms[h]);
    }
    return samples;
  }
}

/** A histogram counts as as many samples of 16 bytes as it takes in Prometheus' memory. */
function sizeOf(histogram: FloatHistogram): number {
  const { positiveSpans, negativeSpans, positiveBuckets, negativeBuckets, customValues } = histogram;
  const spans = 24 + 8 * positiveSpans.length + 24 + 8 * negativeSpans.length;
  const buckets = 24 + 8 * positiveBuckets.length + 24 + 8 * negativeBuckets.length;
  const custom = 24 + (customValues.length > 0 ? 8 * customValues.length : 0);
  return Math.trunc((8 + 4 + 4 + 8 + 8 + 8 + 8 + spans + buckets + custom + 8) / 16);
}
