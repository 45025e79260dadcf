import { VeronaError } from '../../model/errors.ts';
import { assert } from '../../platform/assert.ts';
import { LinkedSignal } from '../../storage/linked-signal.ts';
import type { RemotePlan } from '../plan/node.ts';
import { type Batch, newBatch, setFloat, setHistogram } from './batch.ts';
import type { Grid } from './grid.ts';
import { LabelColumn } from './label-column.ts';
import type { Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import type { RemoteAnswer, RemoteRow } from './remote-engines.ts';

/** Rows that other processes aggregate: they begin as soon as the operator is made, and end with the query. */
export class RemoteRows implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #answer: Promise<RemoteAnswer>;
  #done = false;

  constructor(context: QueryContext, { query, targets }: RemotePlan, grid: Grid) {
    const { remote, lookbackMs, read } = context;
    assert(remote !== undefined, 'a remote part has somebody to evaluate it');
    this.grid = grid;
    this.#context = context;
    const signal = new LinkedSignal(read.signal);
    context.whenDone(() => signal.abort(new VeronaError('canceled', 'the query has ended')));
    this.#answer = remote.evaluate({ query, targets, grid, lookbackMs }, signal);
    // It may fail before anybody waits for it, and be forgotten when another part fails first.
    this.#answer.catch(() => {});
  }

  async next(): Promise<Batch | undefined> {
    if (this.#done) return undefined;
    this.#done = true;
    const { rows, remarks, samplesRead, isRefused } = await this.#answer;
    const context = this.#context;
    context.check();
    if (isRefused) context.isRefused = true;
    for (const remark of remarks) noteRemark(context, remark);
    context.adopt({ groups: undefined, annotations: [], samplesRead });
    context.requireRoom(rows.length * this.grid.count);
    return rows.length === 0 ? undefined : toBatch(rows, this.grid);
  }
}

/** The place of a remark is one in the text that the peer got. */
function noteRemark(context: QueryContext, remark: string): void {
  const words = remark.replace(/ \(\d+:\d+\)$/, '');
  if (remark.startsWith('PromQL info: ')) context.info(words);
  else context.warn(words);
}

function toBatch(rows: readonly RemoteRow[], grid: Grid): Batch {
  const batch = newBatch(LabelColumn.from(rows.map(({ labels }) => labels)), grid.count);
  for (const [row, { times, values, histogramTimes, histograms }] of rows.entries()) {
    const first = row * grid.count;
    for (let i = 0; i < times.length; i++) setFloat(batch, first + stepOf(times[i], grid), values[i]);
    for (let i = 0; i < histograms.length; i++)
      setHistogram(batch, first + stepOf(histogramTimes[i], grid), histograms[i]);
  }
  return batch;
}

function stepOf(t: number, { start, step, count }: Grid): number {
  const place = t === start ? 0 : (t - start) / step;
  if (Number.isInteger(place) && place >= 0 && place < count) return place;
  throw new VeronaError(
    'corrupt',
    `a peer answered with a sample at ${t}, which is none of the steps asked for`,
  );
}

/** The rows of all parts, one part after the other. */
export class UnionRows implements Operator {
  readonly grid: Grid;
  readonly #parts: Operator[];

  constructor(grid: Grid, parts: readonly Operator[]) {
    this.grid = grid;
    this.#parts = [...parts];
  }

  async next(): Promise<Batch | undefined> {
    for (;;) {
      const [part] = this.#parts;
      if (part === undefined) return undefined;
      const batch = await part.next();
      if (batch !== undefined) return batch;
      this.#parts.shift();
    }
  }
}
