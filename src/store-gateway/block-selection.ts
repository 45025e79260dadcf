import type { BucketBlock } from '../blocks/block-catalog.ts';
import { Labels } from '../model/labels.ts';
import type { Relabeler } from '../model/relabel.ts';

/** ms, inclusive. */
export interface TimeWindow {
  readonly mint: number;
  readonly maxt: number;
}

/** The label by which rules tell blocks apart, as in Thanos: `hashmod` of it divides them among instances. */
const BLOCK_ID = '__block_id';
/** Windows that go with the clock move this often, so that a list chosen once is good for many queries. */
const WINDOW_STEP_MS = 60_000;

/** Which blocks of a bucket this process reads, of those that are there: by their external labels, and by time. */
export class BlockSelection {
  readonly #rules: Relabeler;
  readonly #mint: () => number;
  readonly #maxt: () => number;
  readonly #chosen = new WeakMap<
    readonly BucketBlock[],
    { readonly window: TimeWindow; readonly blocks: readonly BucketBlock[] }
  >();

  /** A block is read unless the rules drop it. The bounds are asked anew for every query. */
  constructor(rules: Relabeler, mint: () => number, maxt: () => number) {
    this.#rules = rules;
    this.#mint = mint;
    this.#maxt = maxt;
  }

  /** No sample outside is shown. */
  get window(): TimeWindow {
    const step = (ms: number) => Math.floor(ms / WINDOW_STEP_MS) * WINDOW_STEP_MS;
    return { mint: step(this.#mint()), maxt: step(this.#maxt()) };
  }

  /** The same array for the same list as long as the window is the same. */
  select(blocks: readonly BucketBlock[]): readonly BucketBlock[] {
    const { window } = this;
    const known = this.#chosen.get(blocks);
    if (known?.window.mint === window.mint && known.window.maxt === window.maxt) return known.blocks;
    const kept = blocks.filter(
      (block) => block.meta.maxt > window.mint && block.meta.mint <= window.maxt && this.#keeps(block),
    );
    const chosen = kept.length === blocks.length ? blocks : kept;
    this.#chosen.set(blocks, { window, blocks: chosen });
    return chosen;
  }

  #keeps({ meta }: BucketBlock): boolean {
    if (this.#rules.isEmpty) return true;
    return this.#rules.apply(Labels.from({ ...meta.labels, [BLOCK_ID]: meta.ulid })) !== undefined;
  }
}
