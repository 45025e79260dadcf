import { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  ReadContext,
  SelectRequest,
} from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { type HeadSlice, type PackedSlice, unpackSlice } from './head/head-slice.ts';
import {
  askKey,
  fromLabelRequest,
  fromMatcher,
  fromSelect,
  type HeadAsk,
  type PlainExemplars,
  type ReadyAnswer,
  shapeOfLabels,
  shapeOfSelect,
} from './head-ask.ts';

/** The query thread's side: a querier over a head that lives on another thread. Reading closed chunks and decoding happen here. */
export class RemoteHead implements Querier {
  readonly warnings: readonly string[] = [];
  readonly #ask: (request: HeadAsk) => Promise<unknown>;
  readonly #complete: (slice: HeadSlice) => Promise<SeriesBatch>;
  /** Each is good for one ask: its memory is the query's then. */
  readonly #ready: ReadyAnswer[];
  #nextCursor = 1;

  /** `complete` reads the closed chunks of a slice from `chunks_head/` and cuts out what was deleted. */
  constructor(
    ask: (request: unknown) => Promise<unknown>,
    complete: (slice: HeadSlice) => Promise<SeriesBatch>,
    ready: readonly ReadyAnswer[] = [],
  ) {
    this.#ready = [...ready];
    this.#ask = ask;
    this.#complete = complete;
  }

  /** One slice is read ahead, so that gathering there and evaluating here overlap. */
  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    const ready = this.#takeReady(request, () => shapeOfSelect(request));
    if (ready !== undefined) {
      if (ready.slice === undefined) return;
      const batch = await this.#complete(unpackSlice(ready.slice));
      if (batch.seriesCount > 0) yield batch;
      return;
    }
    const cursor = this.#nextCursor++;
    let coming = this.#ask({ op: 'select', cursor, select: fromSelect(request) });
    let finished = false;
    try {
      for (;;) {
        const slice = (await coming) as PackedSlice | undefined;
        if (!slice) {
          finished = true;
          return;
        }
        ctx.signal.throwIfAborted();
        finished = slice.isLast;
        if (!finished) {
          coming = this.#ask({ op: 'next', cursor });
          coming.catch(() => {});
        }
        const batch = await this.#complete(unpackSlice(slice));
        if (batch.seriesCount > 0) yield batch;
        if (finished) return;
      }
    } finally {
      if (!finished) coming.then(() => this.#ask({ op: 'close', cursor })).catch(() => {});
    }
  }

  #takeReady({ mint, maxt }: SelectRequest | LabelRequest, shape: () => string): ReadyAnswer | undefined {
    if (this.#ready.length === 0) return undefined;
    const key = askKey(shape(), mint, maxt);
    const at = this.#ready.findIndex((ready) => ready.key === key);
    return at < 0 ? undefined : this.#ready.splice(at, 1)[0];
  }

  labelNames(_ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    return this.#texts(undefined, request);
  }

  labelValues(_ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    return this.#texts(name, request);
  }

  async #texts(name: string | undefined, request: LabelRequest): Promise<readonly string[]> {
    const ready = this.#takeReady(request, () => shapeOfLabels(name, request));
    if (ready?.texts !== undefined) return JSON.parse(ready.texts);
    const plain = fromLabelRequest(request);
    const ask: HeadAsk =
      name === undefined ? { op: 'labelNames', request: plain } : { op: 'labelValues', name, request: plain };
    return JSON.parse((await this.#ask(ask)) as string);
  }

  async exemplars(
    _ctx: ReadContext,
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]> {
    const sets = matcherSets.map((set) => set.map(fromMatcher));
    return fromPlainExemplars(
      (await this.#ask({ op: 'exemplars', matcherSets: sets, mint, maxt })) as PlainExemplars,
    );
  }

  async close(): Promise<void> {}
}

function fromPlainExemplars(plain: PlainExemplars): ExemplarSeries[] {
  return plain.map(({ labels, exemplars }) => ({
    labels: Labels.fromSorted(labels),
    exemplars: exemplars.map((exemplar) => ({ ...exemplar, labels: Labels.fromSorted(exemplar.labels) })),
  }));
}
