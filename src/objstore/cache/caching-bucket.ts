import { crc32 } from 'node:zlib';
import type {
  Bucket,
  BucketContext,
  ListEntry,
  ListOptions,
  ObjectAttributes,
  UploadBody,
} from '../bucket.ts';
import type { GuardedCache } from './guarded-cache.ts';

/** What is kept of which objects, by Thanos' names and defaults. */
export interface CachingRules {
  readonly subrangeBytes: number;
  /** A read that needs more pieces than this from the bucket fetches what lies between them too. */
  readonly rangeRequestsMax: number;
  readonly subrangeTtlMs: number;
}

export const CACHING_RULES: CachingRules = {
  subrangeBytes: 16_000,
  rangeRequestsMax: 3,
  subrangeTtlMs: 24 * 3_600_000,
};

/** Longer reads go to the bucket: they would push everything else out. */
const SUBRANGES_MAX = 2048;
const CHECK_BYTES = 4;

/**
 * A bucket with a cache before it. Kept are the files of blocks, which never change once written: pieces of `index` and
 * `chunks/…` aligned to `subrangeBytes`. Everything else, `meta.json`, marks and listings above all, is asked of the bucket
 * each time: who needs it often keeps it decoded. Callers at once share one read. Every kept value carries a checksum of itself and its key.
 */
export class CachingBucket implements Bucket {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #cache: GuardedCache;
  readonly #rules: CachingRules;
  readonly #loading = new Map<string, Promise<Uint8Array>>();

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

  attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    return this.#bucket.attributes(ctx, key);
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

/** CRC32 of key and value, before the value. */
function frame(key: string, value: Uint8Array): Uint8Array {
  const framed = Buffer.alloc(CHECK_BYTES + value.length);
  framed.writeUInt32BE(checksum(key, value), 0);
  framed.set(value, CHECK_BYTES);
  return framed;
}

/** Undefined when it is not what was framed under this key. */
function unframe(key: string, framed: Uint8Array | undefined): Uint8Array | undefined {
  if (!framed || framed.length < CHECK_BYTES) return undefined;
  const value = framed.subarray(CHECK_BYTES);
  const expected = new DataView(framed.buffer, framed.byteOffset).getUint32(0);
  return checksum(key, value) === expected ? value : undefined;
}

function checksum(key: string, value: Uint8Array): number {
  return crc32(value, crc32(key));
}
