import type { Matcher } from '../model/matcher.ts';
import type { ExemplarSeries, LabelRequest, SelectRequest } from '../storage/querier.ts';
import type { ForeseenAsk } from './foreseen-asks.ts';
import { type HeadSlice, movedOf, packSlice } from './head/head-slice.ts';
import {
  type HeadAsk,
  type LastingAsk,
  type PlainExemplars,
  type ReadyAnswer,
  toLabelRequest,
  toMatcher,
  toSelect,
} from './head-ask.ts';

/** What a head must give for queries on other threads. */
export interface SliceSource {
  /** Bounded slices, made one at a time as they are asked for. */
  slices(request: SelectRequest): Iterator<HeadSlice> | AsyncIterator<HeadSlice>;
  /** Everything a select gives, when one bounded step is enough for it: no slice when that is nothing. Else undefined. */
  onlySlice(request: SelectRequest): { readonly slice: HeadSlice | undefined } | undefined;
  labelNames(request: LabelRequest): Promise<readonly string[]>;
  labelValues(name: string, request: LabelRequest): Promise<readonly string[]>;
  /** Names, or the values of a label, when one bounded step is enough for them. */
  labelsAtOnce(name: string | undefined, request: LabelRequest): readonly string[] | undefined;
  exemplars(
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]>;
}

/** Selects of one query open at once. */
const CURSORS_MAX = 4096;

interface Reply {
  readonly reply: unknown;
  readonly transfer: readonly ArrayBuffer[];
}

/** The head's side: answers what a query thread asks, for one query. */
export class HeadServer {
  readonly #source: SliceSource;
  readonly #cursors = new Map<number, Iterator<HeadSlice> | AsyncIterator<HeadSlice>>();
  #foreseen: readonly ForeseenAsk[] = [];
  /** What was asked, as long as each had a small answer; undefined once there was another. */
  #asked: LastingAsk[] | undefined = [];

  constructor(source: SliceSource) {
    this.#source = source;
  }

  /** `transfer` is the memory of the reply that is moved to the asking thread. */
  async serve(message: unknown): Promise<Reply> {
    const ask = message as HeadAsk;
    switch (ask.op) {
      case 'select':
        if (this.#cursors.size >= CURSORS_MAX)
          throw new Error(`more than ${CURSORS_MAX} selects in one query`);
        return this.#select(ask.cursor, toSelect(ask.select));
      case 'next':
        return packed(await this.#next(ask.cursor));
      case 'close':
        await this.#end(ask.cursor);
        return { reply: undefined, transfer: [] };
      case 'labelNames': {
        const request = toLabelRequest(ask.request);
        this.#note({ op: 'labelNames', request, mint: request.mint, maxt: request.maxt }, true);
        return texts(await this.#source.labelNames(request));
      }
      case 'labelValues': {
        const request = toLabelRequest(ask.request);
        this.#note(
          { op: 'labelValues', name: ask.name, request, mint: request.mint, maxt: request.maxt },
          true,
        );
        return texts(await this.#source.labelValues(ask.name, request));
      }
      case 'exemplars': {
        const sets = ask.matcherSets.map((set) => set.map(toMatcher));
        const found = await this.#source.exemplars(sets, ask.mint, ask.maxt);
        return { reply: toPlainExemplars(found), transfer: [] };
      }
    }
  }

  /** What the query is likely to ask the next time: nothing when an answer was not small, undefined when it asked nothing. */
  get learned(): readonly LastingAsk[] | undefined {
    if (this.#asked === undefined) return [];
    if (this.#asked.length === 0) return undefined;
    return [...this.#foreseen.map(({ ask }) => ask), ...this.#asked];
  }

  /** Answers to what is likely to be asked; what takes more than one small step is left out. */
  foresee(asks: readonly ForeseenAsk[]): { ready: ReadyAnswer[]; transfer: ArrayBuffer[] } {
    const ready: ReadyAnswer[] = [];
    const transfer: ArrayBuffer[] = [];
    this.#foreseen = asks;
    for (const { ask, key } of asks) {
      const { op, mint, maxt } = ask;
      if (op === 'select') {
        const only = this.#source.onlySlice({ ...ask.request, mint, maxt });
        if (only === undefined || !isSmall(only.slice)) continue;
        const slice = only.slice && packSlice(only.slice);
        ready.push({ key, slice });
        if (slice !== undefined) transfer.push(...movedOf(slice));
      } else {
        const name = op === 'labelValues' ? ask.name : undefined;
        const found = this.#source.labelsAtOnce(name, { ...ask.request, mint, maxt });
        if (found !== undefined) ready.push({ key, texts: JSON.stringify(found) });
      }
    }
    return { ready, transfer };
  }

  async #select(cursor: number, request: SelectRequest): Promise<Reply> {
    this.#cursors.set(cursor, this.#source.slices(request));
    const slice = await this.#next(cursor);
    const { mint, maxt } = request;
    this.#note({ op: 'select', request, mint, maxt }, isSmall(slice));
    return packed(slice);
  }

  #note(ask: LastingAsk, isSmall: boolean): void {
    if (!isSmall) this.#asked = undefined;
    else this.#asked?.push(ask);
  }

  async #end(cursor: number): Promise<void> {
    const slices = this.#cursors.get(cursor);
    this.#cursors.delete(cursor);
    await slices?.return?.();
  }

  async #next(cursor: number): Promise<HeadSlice | undefined> {
    const step = await this.#cursors.get(cursor)?.next();
    if (!step || step.done) {
      this.#cursors.delete(cursor);
      return undefined;
    }
    if (step.value.isLast) await this.#end(cursor);
    return step.value;
  }
}

/** Twice what the first slice of a select holds when its series have an hour of samples. */
const SMALL_BYTES = 256 * 1024;

function isSmall(slice: HeadSlice | undefined): boolean {
  if (slice === undefined) return true;
  const { gathered, isLast } = slice;
  return isLast === true && gathered.labelBytes.length + gathered.chunkData.length <= SMALL_BYTES;
}

function packed(slice: HeadSlice | undefined): Reply {
  if (slice === undefined) return { reply: undefined, transfer: [] };
  const reply = packSlice(slice);
  return { reply, transfer: movedOf(reply) };
}

function texts(found: readonly string[]): Reply {
  return { reply: JSON.stringify(found), transfer: [] };
}

function toPlainExemplars(found: readonly ExemplarSeries[]): PlainExemplars {
  return found.map(({ labels, exemplars }) => ({
    labels: labels.flat,
    exemplars: exemplars.map((exemplar) => ({ ...exemplar, labels: exemplar.labels.flat })),
  }));
}
