import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { isUlid } from '../tsdb/block/ulid.ts';
import { META_FILE } from './layout.ts';
import { type BlockMeta, META_SIZE_BYTES_MAX, parseMeta } from './meta.ts';

/**
 * Finds blocks of a bucket that a local one, made by a compaction, would repeat: same labels, overlapping time, another
 * name. A block's `meta.json` is read once; each round costs a listing.
 */
export class OverlapCheck {
  readonly #bucket: Bucket;
  readonly #prefix: string;
  readonly #labels: string;
  readonly #metas = new Map<string, BlockMeta>();

  /** Blocks lie directly below `prefix`, which is empty or ends in `/`. */
  constructor(bucket: Bucket, prefix: string, labels: Readonly<Record<string, string>>) {
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#labels = labelsKey(labels);
  }

  /** Looks at what is in the bucket now. */
  async refresh(ctx: BucketContext): Promise<void> {
    const present = new Set<string>();
    for await (const { kind, key } of this.#bucket.list(ctx, this.#prefix)) {
      const ulid = key.slice(this.#prefix.length, -1);
      if (kind === 'folder' && isUlid(ulid)) present.add(ulid);
    }
    for (const ulid of this.#metas.keys()) if (!present.has(ulid)) this.#metas.delete(ulid);
    for (const ulid of present) {
      if (this.#metas.has(ulid)) continue;
      const meta = await this.#read(ctx, ulid);
      if (meta) this.#metas.set(ulid, meta);
    }
  }

  /** The name of a block that overlaps, as of the last refresh. */
  overlapping({ ulid, mint, maxt }: BlockMeta): string | undefined {
    for (const other of this.#metas.values())
      if (
        other.ulid !== ulid &&
        other.mint < maxt &&
        other.maxt > mint &&
        labelsKey(other.labels) === this.#labels
      )
        return other.ulid;
    return undefined;
  }

  /** undefined when the block is not whole. */
  async #read(ctx: BucketContext, ulid: string): Promise<BlockMeta | undefined> {
    const key = `${this.#prefix}${ulid}/${META_FILE}`;
    try {
      return parseMeta(await this.#bucket.get(ctx, key, META_SIZE_BYTES_MAX), key, ulid);
    } catch (error) {
      if (error instanceof VeronaError && (error.code === 'not_found' || error.code === 'corrupt'))
        return undefined;
      throw error;
    }
  }
}

function labelsKey(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
