import type { Clock } from '../platform/clock.ts';
import { mergeQueriers } from '../storage/merge.ts';
import { namedQuerier } from '../storage/named-querier.ts';
import type { Querier } from '../storage/querier.ts';
import type { LocalBlock } from './db-blocks.ts';
import type { Head } from './head/head.ts';
import { HeadQuerier } from './head/head-querier.ts';

/** What a query reads, fixed when it began: some blocks, and the head after them. Whoever takes it releases it. */
export interface DbView {
  /** Blocks that overlap the range, by time. Their files stay until release. */
  readonly blocks: readonly LocalBlock[];
  readonly head: HeadQuerier;
  /** Whether the head has anything in the range. */
  readonly usesHead: boolean;
  release(): void;
}

/** The views in use, so that the head is cut only when nobody still needs it as it was. */
export class DbViews {
  readonly #open = new Set<{ readonly done: Promise<void> }>();

  take(head: Head, blocks: readonly LocalBlock[], inOrderMint: number, mint: number, maxt: number): DbView {
    const { promise, resolve } = Promise.withResolvers<void>();
    const entry = { done: promise };
    this.#open.add(entry);
    return {
      blocks: blocks.filter(({ block }) => block.overlaps(mint, maxt)),
      head: new HeadQuerier(head, inOrderMint),
      usesHead: maxt >= inOrderMint || !head.store.late.isEmpty,
      release: () => {
        this.#open.delete(entry);
        resolve();
      },
    };
  }

  /** Resolves when the views open now are released, or after `limitMs`; says whether they all were. */
  async drained(clock: Clock, limitMs: number): Promise<boolean> {
    const open = [...this.#open];
    if (open.length === 0) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const cancel = clock.after(limitMs, () => resolve(false));
    Promise.all(open.map(({ done }) => done)).then(() => resolve(true));
    const inTime = await promise;
    cancel();
    return inTime;
  }
}

/** One querier over all of a view; it releases the view when it is closed. */
export async function viewQuerier(view: DbView, mint: number, maxt: number): Promise<Querier> {
  const sources: Querier[] = [];
  for (const { block } of view.blocks)
    sources.push(namedQuerier(`block ${block.meta.ulid}`, await block.querier(mint, maxt)));
  // The head comes last: where it has a sample that a block has too, its own wins.
  if (view.usesHead || sources.length === 0) sources.push(namedQuerier('head', view.head));
  return new ViewQuerier(mergeQueriers(sources), view);
}

class ViewQuerier implements Querier {
  readonly #querier: Querier;
  readonly #view: DbView;

  constructor(querier: Querier, view: DbView) {
    this.#querier = querier;
    this.#view = view;
  }

  get warnings(): readonly string[] {
    return this.#querier.warnings;
  }

  select: Querier['select'] = (ctx, request) => this.#querier.select(ctx, request);
  labelNames: Querier['labelNames'] = (ctx, request) => this.#querier.labelNames(ctx, request);
  labelValues: Querier['labelValues'] = (ctx, name, request) => this.#querier.labelValues(ctx, name, request);
  exemplars: Querier['exemplars'] = (ctx, sets, mint, maxt) => this.#querier.exemplars(ctx, sets, mint, maxt);

  async close(): Promise<void> {
    try {
      await this.#querier.close();
    } finally {
      this.#view.release();
    }
  }
}
