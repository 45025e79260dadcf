import { Matcher } from '../../model/matcher.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Querier, ReadContext } from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import { type AggregatePlan, mapChildren, type PlanNode } from '../plan/node.ts';
import { Aggregate } from './aggregate.ts';
import { OperatorBuilder } from './build-operators.ts';
import { Candidates } from './candidates.ts';
import type { KernelPool } from './kernel-pool.ts';
import type { Operator } from './operator.ts';
import { QueryContext } from './query-context.ts';
import type { PartRequest, PartResult, PlainRows } from './series-team.ts';
import { toPlainRows } from './split-rows.ts';

/** A member of a team at work on one part: batches in, rows or groups out. */
export class PartEvaluator {
  readonly #feed = new BatchFeed();
  readonly #context: QueryContext;
  readonly #request: PartRequest;
  readonly #result: Promise<PartResult>;
  #rows: PlainRows[] = [];

  constructor(
    request: PartRequest,
    options: { read: ReadContext; kernels: KernelPool; clock: Clock; timeoutMs: number },
  ) {
    const { maxSamples, maxBytes } = request;
    this.#request = request;
    this.#context = new QueryContext({
      ...request,
      ...options,
      querier: this.#feed,
      delayedNameRemoval: false,
      limits: { maxSamples, maxBytes },
      analysis: undefined,
      stepCounts: undefined,
      team: undefined,
    });
    this.#result = this.#run();
    this.#result.catch((error) => this.#feed.fail(error));
  }

  /** Resolves with the rows of the batch, none when they are added up. One at a time, each after the one before. */
  async evaluate(batch: SeriesBatch): Promise<readonly PlainRows[]> {
    await this.#feed.push(batch);
    return this.#rows.splice(0);
  }

  /** After the last batch. */
  finish(): Promise<PartResult> {
    this.#feed.end();
    return this.#result;
  }

  async #run(): Promise<PartResult> {
    const { rows, aggregate, rank, grid } = this.#request;
    const operator = new OperatorBuilder(this.#context).build(withMatchers(rows), grid);
    const groups = aggregate && (await this.#addUp(operator, aggregate));
    if (aggregate === undefined)
      await this.#giveRows(rank === undefined ? operator : Candidates.of(this.#context, rank, operator));
    const { annotations, samplesRead } = this.#context;
    this.#context.finish();
    return { groups, annotations, samplesRead };
  }

  #addUp(
    operator: Operator,
    aggregate: NonNullable<PartRequest['aggregate']>,
  ): Promise<PartResult['groups']> {
    const { span } = this.#request.rows;
    const plan: AggregatePlan = {
      kind: 'aggregate',
      child: this.#request.rows,
      param: undefined,
      span,
      ...aggregate,
    };
    return new Aggregate(this.#context, plan, operator, undefined).groupStates();
  }

  async #giveRows(operator: Operator): Promise<void> {
    for (let batch = await operator.next(); batch !== undefined; batch = await operator.next())
      this.#rows.push(toPlainRows(batch));
  }
}

interface Pushed {
  readonly batch: SeriesBatch;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The one source of a part: gives the batches that are pushed. */
class BatchFeed implements Querier {
  readonly warnings: readonly string[] = [];
  readonly #waiting: Pushed[] = [];
  #underWay: Pushed | undefined;
  #wake: (() => void) | undefined;
  #isEnded = false;
  #failure: Error | undefined;

  /** Resolves when the batch has been worked on. */
  push(batch: SeriesBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#waiting.push({ batch, resolve, reject });
      this.#wake?.();
    });
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of [...this.#waiting.splice(0), ...(this.#underWay ? [this.#underWay] : [])])
      reject(error);
  }

  async *select(): AsyncGenerator<SeriesBatch> {
    for (;;) {
      this.#underWay = this.#waiting.shift();
      if (this.#underWay !== undefined) {
        yield this.#underWay.batch;
        this.#underWay.resolve();
      } else if (this.#isEnded) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  async labelNames(): Promise<readonly string[]> {
    return [];
  }

  async labelValues(): Promise<readonly string[]> {
    return [];
  }

  async exemplars(): Promise<readonly never[]> {
    return [];
  }

  async close(): Promise<void> {}
}

/** Matchers lose their methods on the way between threads. */
function withMatchers(node: PlanNode): PlanNode {
  if (node.kind !== 'select' && node.kind !== 'windows') return mapChildren(node, withMatchers);
  const matchers = node.source.matchers.map(({ type, name, value }) => new Matcher(type, name, value));
  return { ...node, source: { ...node.source, matchers } };
}
