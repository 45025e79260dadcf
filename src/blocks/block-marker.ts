import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { type BlockRef, globalMarkKey, META_FILE } from './layout.ts';
import {
  encodeMark,
  MARK_FILES,
  MARK_KINDS,
  MARK_SIZE_BYTES_MAX,
  type MarkKind,
  parseMark,
} from './marks.ts';

export interface BlockMarkerDeps {
  readonly bucket: Bucket;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What is said in a mark, besides the time. */
export interface MarkText {
  /** `manual` when not given. Not kept for deletions. */
  readonly reason?: string;
  readonly details?: string;
  /** Quarantine only: queries leave the block out and say so. */
  readonly hidden?: boolean;
}

/**
 * Sets and removes marks of blocks, and deletes blocks, in an order that every reader and every crash stands.
 * In Cortex' layout each mark has a second copy in `markers/`; either copy counts.
 */
export class BlockMarker {
  readonly #deps: BlockMarkerDeps;

  constructor(deps: BlockMarkerDeps) {
    this.#deps = deps;
  }

  /** Marks a block. One that has the mark keeps it with its time; a mark that cannot be read is replaced. */
  async mark(ctx: BucketContext, block: BlockRef, kind: MarkKind, text: MarkText = {}): Promise<void> {
    const data = encodeMark(kind, block.ulid, {
      timeMs: this.#deps.clock.now(),
      reason: text.reason ?? 'manual',
      details: text.details ?? '',
      hidden: kind === 'quarantine' && text.hidden === true,
    });
    for (const key of markKeys(block, kind)) await this.#create(ctx, key, kind, block.ulid, data);
    this.#deps.log.info('a block is marked', { kind, ...about(block), ...text });
  }

  /** Stores the copy of a mark in `markers/` that was never stored, or was lost; the mark beside the block is what counts. */
  async complete(ctx: BucketContext, block: BlockRef, kind: MarkKind): Promise<void> {
    const { bucket, log } = this.#deps;
    const [own, copy] = markKeys(block, kind);
    if (copy === undefined || !(await this.#isReadable(ctx, own, kind, block.ulid))) return;
    await this.#create(ctx, copy, kind, block.ulid, await bucket.get(ctx, own, MARK_SIZE_BYTES_MAX));
    // Who takes a mark away begins with the copy.
    if (!(await bucket.exists(ctx, own))) await bucket.delete(ctx, copy);
    else log.info('the copy of a mark is stored', { kind, ...about(block) });
  }

  /** Takes a mark away, both copies; absent is fine. */
  async unmark(ctx: BucketContext, block: BlockRef, kind: MarkKind): Promise<void> {
    for (const key of markKeys(block, kind).reverse()) await this.#deps.bucket.delete(ctx, key);
    this.#deps.log.info('a mark of a block is removed', { kind, ...about(block) });
  }

  /** Sets a block aside: nothing is made of it any more until a person has looked. `reason` is a word or a few. */
  quarantine(
    ctx: BucketContext,
    block: BlockRef,
    {
      reason,
      details,
      hidden,
    }: { readonly reason: string; readonly details: string; readonly hidden: boolean },
  ): Promise<void> {
    return this.mark(ctx, block, 'quarantine', { reason, details, hidden });
  }

  /**
   * Removes a block: marks it for deletion unless it is, then `meta.json` first, so that no reader begins with it, then
   * everything else, its marks last, so that a deletion that broke off is recognised and can be done again.
   */
  async delete(ctx: BucketContext, block: BlockRef, details = 'deleted'): Promise<void> {
    await this.mark(ctx, block, 'deletion', { details });
    const { bucket, log } = this.#deps;
    await bucket.delete(ctx, `${block.folder}/${META_FILE}`);
    const own = new Set(MARK_KINDS.map((kind) => `${block.folder}/${MARK_FILES[kind]}`));
    const found: string[] = [];
    for await (const entry of bucket.list(ctx, `${block.folder}/`, { recursive: true }))
      if (entry.kind === 'object' && !own.has(entry.key)) found.push(entry.key);
    for (const key of found) await bucket.delete(ctx, key);
    // Somebody may have stored it anew meanwhile.
    await bucket.delete(ctx, `${block.folder}/${META_FILE}`);
    for (const kind of [...MARK_KINDS].reverse())
      for (const key of markKeys(block, kind)) await bucket.delete(ctx, key);
    log.info('a block is deleted', about(block));
  }

  async #create(
    ctx: BucketContext,
    key: string,
    kind: MarkKind,
    ulid: string,
    data: Uint8Array,
  ): Promise<void> {
    const { bucket } = this.#deps;
    try {
      await bucket.create(ctx, key, data);
    } catch (error) {
      if (!(error instanceof VeronaError && error.code === 'conflict')) throw error;
      if (!(await this.#isReadable(ctx, key, kind, ulid))) await bucket.upload(ctx, key, data);
    }
  }

  async #isReadable(ctx: BucketContext, key: string, kind: MarkKind, ulid: string): Promise<boolean> {
    try {
      parseMark(await this.#deps.bucket.get(ctx, key, MARK_SIZE_BYTES_MAX), key, kind, ulid);
      return true;
    } catch (error) {
      if (error instanceof VeronaError && ['corrupt', 'too_large', 'not_found'].includes(error.code))
        return false;
      throw error;
    }
  }
}

/** The copy beside the block, then the one in `markers/`. */
function markKeys(block: BlockRef, kind: MarkKind): string[] {
  const own = `${block.folder}/${MARK_FILES[kind]}`;
  const global = globalMarkKey(block, MARK_FILES[kind]);
  return global === undefined ? [own] : [own, global];
}

function about({ tenant, ulid }: BlockRef): { tenant: string; ulid: string } {
  return { tenant, ulid };
}
