import type { Exemplar } from '../model/exemplar.ts';
import { Labels } from '../model/labels.ts';
import { Matcher, type MatchType } from '../model/matcher.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  ReadContext,
  SelectHints,
  SelectRequest,
} from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { selectKey } from './foreseen-selects.ts';
import { buffersOf, type HeadSlice } from './head/head-slice.ts';

/** What a head must give for queries on other threads. */
export interface SliceSource {
  /** Bounded slices, made one at a time as they are asked for. */
  slices(request: SelectRequest): Iterator<HeadSlice> | AsyncIterator<HeadSlice>;
  labelNames(request: LabelRequest): Promise<readonly string[]>;
  labelValues(name: string, request: LabelRequest): Promise<readonly string[]>;
  exemplars(
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]>;
}

interface PlainMatcher {
  readonly type: MatchType;
  readonly name: string;
  readonly value: string;
}

/** A select as plain data. */
export interface PlainSelect {
  readonly matchers: readonly PlainMatcher[];
  readonly mint: number;
  readonly maxt: number;
  readonly sorted: boolean;
  readonly hints: SelectHints | undefined;
}

type HeadRequest =
  | { readonly op: 'select'; readonly cursor: number; readonly select: PlainSelect }
  | { readonly op: 'next'; readonly cursor: number }
  | { readonly op: 'close'; readonly cursor: number }
  | { readonly op: 'labelNames'; readonly request: PlainLabelRequest }
  | { readonly op: 'labelValues'; readonly name: string; readonly request: PlainLabelRequest }
  | {
      readonly op: 'exemplars';
      readonly matcherSets: readonly (readonly PlainMatcher[])[];
      readonly mint: number;
      readonly maxt: number;
    };

type PlainLabelRequest = Omit<LabelRequest, 'matchers'> & { readonly matchers: readonly PlainMatcher[] };
type PlainExemplars = readonly {
  labels: readonly string[];
  exemplars: readonly (Omit<Exemplar, 'labels'> & { labels: readonly string[] })[];
}[];

/** Selects of one query open at once. */
const CURSORS_MAX = 4096;

interface SliceReply {
  readonly reply: HeadSlice | undefined;
  readonly transfer: readonly ArrayBuffer[];
}

/** The head's side: answers what a query thread asks, for one query. */
export class HeadServer {
  readonly #source: SliceSource;
  readonly #cursors = new Map<number, Iterator<HeadSlice> | AsyncIterator<HeadSlice>>();
  /** Selects so far that one small slice answered; undefined once there was another. */
  #small: PlainSelect[] | undefined = [];

  constructor(source: SliceSource) {
    this.#source = source;
  }

  /** `transfer` is the memory of the reply; it is moved to the asking thread. */
  async serve(message: unknown): Promise<{ reply: unknown; transfer: readonly ArrayBuffer[] }> {
    const request = message as HeadRequest;
    switch (request.op) {
      case 'select':
        if (this.#cursors.size >= CURSORS_MAX)
          throw new Error(`more than ${CURSORS_MAX} selects in one query`);
        this.#cursors.set(request.cursor, this.#source.slices(toSelect(request.select)));
        return this.#first(request.cursor, request.select);
      case 'next':
        return this.#next(request.cursor);
      case 'close':
        await this.#end(request.cursor);
        return { reply: undefined, transfer: [] };
      case 'labelNames':
        return { reply: await this.#source.labelNames(toLabelRequest(request.request)), transfer: [] };
      case 'labelValues':
        return {
          reply: await this.#source.labelValues(request.name, toLabelRequest(request.request)),
          transfer: [],
        };
      case 'exemplars': {
        const sets = request.matcherSets.map((set) => set.map(toMatcher));
        const found = await this.#source.exemplars(sets, request.mint, request.maxt);
        return { reply: toPlainExemplars(found), transfer: [] };
      }
    }
  }

  /** The selects that were answered, when all of them were small. */
  get smallSelects(): readonly PlainSelect[] {
    return this.#small ?? [];
  }

  /** Answers to selects that are likely to come; those that take more than a small slice are left out. */
  async foresee(selects: readonly PlainSelect[]): Promise<{ ready: ReadySlices; transfer: ArrayBuffer[] }> {
    const ready: [string, HeadSlice][] = [];
    for (const [i, select] of selects.entries()) {
      const cursor = -1 - i;
      this.#cursors.set(cursor, this.#source.slices(toSelect(select)));
      const { reply } = await this.#first(cursor, select);
      if (reply !== undefined && isSmall(reply)) ready.push([selectKey(select), reply]);
      await this.#end(cursor);
    }
    return { ready, transfer: ready.flatMap(([, slice]) => buffersOf(slice)) };
  }

  async #first(cursor: number, select: PlainSelect): Promise<SliceReply> {
    const answer = await this.#next(cursor);
    if (answer.reply === undefined || !isSmall(answer.reply)) this.#small = undefined;
    else this.#small?.push(select);
    return answer;
  }

  async #end(cursor: number): Promise<void> {
    const slices = this.#cursors.get(cursor);
    this.#cursors.delete(cursor);
    await slices?.return?.();
  }

  async #next(cursor: number): Promise<SliceReply> {
    const step = await this.#cursors.get(cursor)?.next();
    if (!step || step.done) {
      this.#cursors.delete(cursor);
      return { reply: undefined, transfer: [] };
    }
    if (step.value.isLast) await this.#end(cursor);
    return { reply: step.value, transfer: buffersOf(step.value) };
  }
}

/** Slices that went along with a query, by `selectKey`. */
export type ReadySlices = readonly (readonly [string, HeadSlice])[];

const SMALL_BYTES = 64 * 1024;

function isSmall({ gathered, isLast }: HeadSlice): boolean {
  return isLast === true && gathered.labelBytes.length + gathered.chunkData.length <= SMALL_BYTES;
}

/** The query thread's side: a querier over a head that lives on another thread. Reading closed chunks and decoding happen here. */
export class RemoteHead implements Querier {
  readonly warnings: readonly string[] = [];
  readonly #ask: (request: HeadRequest) => Promise<unknown>;
  readonly #complete: (slice: HeadSlice) => Promise<SeriesBatch>;
  readonly #ready: Map<string, HeadSlice>;
  #nextCursor = 1;

  /** `complete` reads the closed chunks of a slice from `chunks_head/` and cuts out what was deleted. */
  constructor(
    ask: (request: unknown) => Promise<unknown>,
    complete: (slice: HeadSlice) => Promise<SeriesBatch>,
    ready: ReadySlices = [],
  ) {
    this.#ready = new Map(ready);
    this.#ask = ask;
    this.#complete = complete;
  }

  /** One slice is read ahead, so that gathering there and evaluating here overlap. */
  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    const select = fromSelect(request);
    const ready = this.#takeReady(select);
    if (ready !== undefined) {
      const batch = await this.#complete(ready);
      if (batch.seriesCount > 0) yield batch;
      return;
    }
    const cursor = this.#nextCursor++;
    let coming = this.#ask({ op: 'select', cursor, select });
    let finished = false;
    try {
      for (;;) {
        const slice = (await coming) as HeadSlice | undefined;
        if (!slice) {
          finished = true;
          return;
        }
        ctx.signal.throwIfAborted();
        finished = slice.isLast === true;
        if (!finished) {
          coming = this.#ask({ op: 'next', cursor });
          coming.catch(() => {});
        }
        const batch = await this.#complete(slice);
        if (batch.seriesCount > 0) yield batch;
        if (finished) return;
      }
    } finally {
      if (!finished) coming.then(() => this.#ask({ op: 'close', cursor })).catch(() => {});
    }
  }

  /** Each is good for one select: its memory is the query's then. */
  #takeReady(select: PlainSelect): HeadSlice | undefined {
    if (this.#ready.size === 0) return undefined;
    const key = selectKey(select);
    const slice = this.#ready.get(key);
    this.#ready.delete(key);
    return slice;
  }

  async labelNames(_ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    return (await this.#ask({ op: 'labelNames', request: fromLabelRequest(request) })) as readonly string[];
  }

  async labelValues(_ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    return (await this.#ask({
      op: 'labelValues',
      name,
      request: fromLabelRequest(request),
    })) as readonly string[];
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

function fromMatcher({ type, name, value }: Matcher): PlainMatcher {
  return { type, name, value };
}

function toMatcher({ type, name, value }: PlainMatcher): Matcher {
  return new Matcher(type, name, value);
}

function fromSelect({ matchers, mint, maxt, sorted, hints }: SelectRequest): PlainSelect {
  return { matchers: matchers.map(fromMatcher), mint, maxt, sorted, hints };
}

function toSelect(plain: PlainSelect): SelectRequest {
  return { ...plain, matchers: plain.matchers.map(toMatcher) };
}

function fromLabelRequest(request: LabelRequest): PlainLabelRequest {
  return { ...request, matchers: request.matchers.map(fromMatcher) };
}

function toLabelRequest(request: PlainLabelRequest): LabelRequest {
  return { ...request, matchers: request.matchers.map(toMatcher) };
}

function toPlainExemplars(found: readonly ExemplarSeries[]): PlainExemplars {
  return found.map(({ labels, exemplars }) => ({
    labels: labels.flat,
    exemplars: exemplars.map((exemplar) => ({ ...exemplar, labels: exemplar.labels.flat })),
  }));
}

function fromPlainExemplars(plain: PlainExemplars): ExemplarSeries[] {
  return plain.map(({ labels, exemplars }) => ({
    labels: Labels.fromSorted(labels),
    exemplars: exemplars.map((exemplar) => ({ ...exemplar, labels: Labels.fromSorted(exemplar.labels) })),
  }));
}
