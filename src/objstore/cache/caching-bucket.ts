import { SingleFlight } from '../../platform/single-flight.ts';
import type {
  Bucket,
  BucketContext,
  ListEntry,
  ListOptions,
  ObjectAttributes,
  UploadBody,
} from '../bucket.ts';
import { frame, unframe } from './framed-value.ts';
import type { GuardedCache } from './guarded-cache.ts';

/** What is kept of which objects, by Thanos' names and defaults. */
export interface CachingRules {
  readonly subrangeBytes: number;
  /** A read that needs more pieces than this from the bucket fetches what lies between them too. */
  readonly rangeRequestsMax: number;
  readonly subrangeTtlMs: number;
  /** Sizes of the files of blocks. */
  readonly attributesTtlMs: number;
  /** Whole small files, as `ListedObjects` keeps them; larger ones are not kept. */
  readonly metaTtlMs: number;
  readonly metaBytesMax: number;
}

export const CACHING_RULES: CachingRules = {
  subrangeBytes: 16_000,
  rangeRequestsMax: 3,
  subrangeTtlMs: 24 * 3_600_000,
  attributesTtlMs: 24 * 3_600_000,
  metaTtlMs: 24 * 3_600_000,
  metaBytesMax: 1024 * 1024,
};

/** Longer reads go to the bucket: they would push everything else out. */
const SUBRANGES_MAX = 2048;

/**
 * A bucket with a cache before it. Kept are the files of blocks, which never change once written: pieces of `index` and
 * `chunks/…` aligned to `subrangeBytes`, and their sizes. Everything else, `meta.json`, marks and listings above all, is asked of the
 * bucket each time (`ListedObjects` keeps what a listing vouches for). Callers at once share one read. Every kept value carries a
 * checksum of itself and its key.
 */
export class CachingBucket implements Bucket {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #cache: GuardedCache;
  readonly #rules: CachingRules;
  readonly #loading = new Map<string, Promise<Uint8Array>>();
  readonly #looks = new SingleFlight<ObjectAttributes>();

  constructor(bucket: Bucket, cache: GuardedCache, rules: CachingRules = CACHING_RULES) {
    this.name = bucket.name;
    this.#bucket = bucket;
    this.#cache = cache;
    this.#rules = rules;
  }

  get(ctx: BucketContext, key: string, sizeBytesMax?: number): Promise<Uint8Array> {
    return this.#bucket.get(ctx, key, sizeBytesMax);
  }

  async getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    const { subrangeBytes: size } = this.#rules;
    const first = Math.floor(offset / size);
    const last = Math.floor((offset + length - 1) / size);
    const isUsual = offset >= 0 && length > 0 && last - first < SUBRANGES_MAX;
    if (!isUsual || !isImmutable(key)) return this.#bucket.getRange(ctx, key, offset, length);
    const pieces = await this.#pieces(ctx, key, first, last);
    const whole = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
    return whole.slice(offset - first * size, offset - first * size + length);
  }

  upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    return this.#bucket.upload(ctx, key, body);
  }

  create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    return this.#bucket.create(ctx, key, body);
  }

  exists(ctx: BucketContext, key: string): Promise<boolean> {
    return this.#bucket.exists(ctx, key);
  }

  async attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    if (!isImmutable(key)) return this.#bucket.attributes(ctx, key);
    const name = `${this.name} attributes ${key}`;
    return this.#looks.run(name, () => this.#look(ctx, key, name));
  }

  delete(ctx: BucketContext, key: string): Promise<void> {
    return this.#bucket.delete(ctx, key);
  }

  list(ctx: BucketContext, prefix: string, options?: ListOptions): AsyncIterable<ListEntry> {
    return this.#bucket.list(ctx, prefix, options);
  }

  async close(): Promise<void> {
    await this.#cache.close();
    await this.#bucket.close();
  }

  async #look(ctx: BucketContext, key: string, name: string): Promise<ObjectAttributes> {
    const kept = unframe(name, (await this.#cache.getMany('attributes', [name])).get(name));
    if (kept?.length === ATTRIBUTES_BYTES) return decodeAttributes(kept);
    const found = await this.#bucket.attributes(ctx, key);
    this.#cache.set('attributes', name, frame(name, encodeAttributes(found)), this.#rules.attributesTtlMs);
    return found;
  }

  /** Subranges `first` … `last` in order; those beyond the end of the object are empty. */
  async #pieces(ctx: BucketContext, key: string, first: number, last: number): Promise<Uint8Array[]> {
    const names = Array.from({ length: last - first + 1 }, (_, i) => this.#nameOf(key, first + i));
    const found = await this.#cache.getMany('subrange', names);
    const pieces = names.map((name) => unframe(name, found.get(name)));
    const missing = names.flatMap((_, i) => (pieces[i] ? [] : [i]));
    const waits = missing.filter((i) => this.#loading.has(names[i]));
    const joined = waits.map((i) => this.#loading.get(names[i]) as Promise<Uint8Array>);
    const own = missing.filter((i) => !waits.includes(i));
    await Promise.all([
      ...runsOf(own, this.#rules.rangeRequestsMax).map((run) =>
        this.#load(ctx, key, first, run, names, pieces),
      ),
      ...joined.map(async (piece, k) => {
        // A read that another caller cancelled, or that failed, is no answer to this one.
        pieces[waits[k]] = await piece.catch(() => this.#read(ctx, key, first + waits[k], 1));
      }),
    ]);
    return pieces as Uint8Array[];
  }

  /** Reads one run of subranges in one request, for everybody who asks for one of them meanwhile. */
  async #load(
    ctx: BucketContext,
    key: string,
    first: number,
    run: Run,
    names: readonly string[],
    pieces: (Uint8Array | undefined)[],
  ): Promise<void> {
    const { subrangeBytes: size, subrangeTtlMs } = this.#rules;
    const whole = this.#read(ctx, key, first + run.first, run.last - run.first + 1);
    const begun: [number, Promise<Uint8Array>][] = [];
    for (let i = run.first; i <= run.last; i++) {
      if (this.#loading.has(names[i])) continue;
      const at = (i - run.first) * size;
      const piece = whole.then((bytes) => bytes.slice(at, at + size));
      piece.catch(() => {});
      this.#loading.set(names[i], piece);
      begun.push([i, piece]);
    }
    try {
      for (const [i, piece] of begun) {
        const bytes = await piece;
        pieces[i] ??= bytes;
        if (bytes.length > 0) this.#cache.set('subrange', names[i], frame(names[i], bytes), subrangeTtlMs);
      }
    } finally {
      for (const [i] of begun) this.#loading.delete(names[i]);
    }
  }

  #read(ctx: BucketContext, key: string, subrange: number, count: number): Promise<Uint8Array> {
    const { subrangeBytes: size } = this.#rules;
    return this.#bucket.getRange(ctx, key, subrange * size, count * size);
  }

  #nameOf(key: string, subrange: number): string {
    return `${this.name} range ${this.#rules.subrangeBytes} ${subrange} ${key}`;
  }
}

interface Run {
  readonly first: number;
  readonly last: number;
}

/** Ascending numbers as runs, at most `runsMax` of them: the smallest gaps are read along. */
function runsOf(numbers: readonly number[], runsMax: number): Run[] {
  const runs: Run[] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && number === last.last + 1) runs[runs.length - 1] = { first: last.first, last: number };
    else runs.push({ first: number, last: number });
  }
  while (runs.length > runsMax) {
    let smallest = 1;
    for (let i = 2; i < runs.length; i++)
      if (runs[i].first - runs[i - 1].last < runs[smallest].first - runs[smallest - 1].last) smallest = i;
    runs.splice(smallest - 1, 2, { first: runs[smallest - 1].first, last: runs[smallest].last });
  }
  return runs;
}

const ULID = '[0-7][0-9A-HJKMNP-TV-Z]{25}';
const BLOCK_DATA = new RegExp(`(^|/)${ULID}/(index|chunks/\\d{6})$`);

function isImmutable(key: string): boolean {
  return BLOCK_DATA.test(key);
}

const ATTRIBUTES_BYTES = 16;

/** `size 8 | modified 8`, as floats, big endian. */
function encodeAttributes({ sizeBytes, modifiedMs }: ObjectAttributes): Uint8Array {
  const view = new DataView(new ArrayBuffer(ATTRIBUTES_BYTES));
  view.setFloat64(0, sizeBytes);
  view.setFloat64(8, modifiedMs);
  return new Uint8Array(view.buffer);
}

function decodeAttributes(bytes: Uint8Array): ObjectAttributes {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { sizeBytes: view.getFloat64(0), modifiedMs: view.getFloat64(8) };
}
