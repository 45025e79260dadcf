import { VeronaError } from '../../model/errors.ts';
import type { Matcher } from '../../model/matcher.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  ReadContext,
  SelectRequest,
} from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import { nextTurn } from '../next-turn.ts';
import { completeSlice } from './complete-slice.ts';
import type { Head } from './head.ts';
import type { HeadSlice } from './head-slice.ts';

/**
 * The head as one source of a query. Samples in order before `inOrderMint` are left to the blocks that have them. Reads fail
 * with `unavailable` when the head has since forgotten what was only in it at the beginning.
 */
export class HeadQuerier implements Querier {
  readonly warnings: readonly string[] = [];
  readonly #head: Head;
  readonly #inOrderMint: number;
  readonly #handovers: number;

  constructor(head: Head, inOrderMint: number) {
    this.#head = head;
    this.#inOrderMint = inOrderMint;
    this.#handovers = head.handovers;
  }

  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    for await (const slice of this.slices(request)) {
      ctx.signal.throwIfAborted();
      const batch = await completeSlice(slice, this.#head.chunkReader);
      if (batch.seriesCount > 0) yield batch;
    }
  }

  /** The slices of a select, to be completed on any thread; the event loop turns between them. */
  async *slices(request: SelectRequest): AsyncGenerator<HeadSlice> {
    const slices = this.#gather(request);
    try {
      for (;;) {
        this.#checkWhole();
        const step = slices.next();
        if (step.done) return;
        if (step.value !== undefined) yield step.value;
        await nextTurn();
      }
    } finally {
      slices.return();
    }
  }

  /** Everything a select gives, when the first step is enough for it: no slice when that is nothing. Else undefined. */
  onlySlice(request: SelectRequest): { readonly slice: HeadSlice | undefined } | undefined {
    this.#checkWhole();
    const slices = this.#gather(request);
    const { done, value } = slices.next();
    slices.return();
    if (done) return NOTHING;
    return value?.isLast ? { slice: value } : undefined;
  }

  #gather({ matchers, mint, maxt, sorted, hints }: SelectRequest) {
    return this.#head.gather({
      matchers,
      mint,
      maxt,
      sorted,
      inOrderMint: this.#inOrderMint,
      labelsOnly: hints?.labelsOnly,
      newestOnly: hints?.newestOnly,
    });
  }

  /** Names, or the values of a label, when one bounded step is enough for them. */
  labelsAtOnce(name: string | undefined, request: LabelRequest): readonly string[] | undefined {
    this.#checkWhole();
    return this.#head.labelsAtOnce(name, request);
  }

  async labelNames(_ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    this.#checkWhole();
    return this.#head.labelNames(request);
  }

  async labelValues(_ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    this.#checkWhole();
    return this.#head.labelValues(name, request);
  }

  exemplars(
    _ctx: ReadContext,
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]> {
    return this.#head.exemplars(matcherSets, mint, maxt);
  }

  async close(): Promise<void> {}

  #checkWhole(): void {
    if (!this.#head.hasSince(this.#handovers))
      throw new VeronaError('unavailable', 'the query took so long that what it reads has left the head');
  }
}

const NOTHING = { slice: undefined } as const;
