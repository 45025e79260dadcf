import { VeronaError } from '../model/errors.ts';
import { compareStrings } from '../model/labels.ts';
import type { Clock } from '../platform/clock.ts';
import {
  assertKey,
  assertNotAborted,
  assertPrefix,
  assertRange,
  type Bucket,
  type BucketContext,
  GET_SIZE_BYTES_MAX,
  type ListEntry,
  type ListOptions,
  listOf,
  type ObjectAttributes,
  tooLarge,
  type UploadBody,
} from './bucket.ts';

interface StoredObject {
  readonly data: Uint8Array;
  readonly modifiedMs: number;
}

/** A bucket in this process' memory: for tests, simulation and trying things out. A listing shows one moment. */
export class MemoryBucket implements Bucket {
  readonly name: string;
  readonly #clock: Clock;
  readonly #objects = new Map<string, StoredObject>();

  constructor(clock: Clock, name = 'memory') {
    this.#clock = clock;
    this.name = name;
  }

  async get(ctx: BucketContext, key: string, sizeBytesMax = GET_SIZE_BYTES_MAX): Promise<Uint8Array> {
    const { data } = this.#find(ctx, `read ${key}`, key);
    if (data.length > sizeBytesMax) throw tooLarge(`read ${key}`, data.length, sizeBytesMax);
    return data.slice();
  }

  async getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    assertRange(key, offset, length);
    return this.#find(ctx, `read ${key}`, key).data.slice(offset, offset + length);
  }

  async upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    assertKey(key);
    assertNotAborted(ctx, `upload ${key}`);
    const data = body instanceof Uint8Array ? body.slice() : await gather(ctx, key, body);
    this.#objects.set(key, { data, modifiedMs: this.#clock.now() });
  }

  async create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    assertKey(key);
    assertNotAborted(ctx, `create ${key}`);
    if (this.#objects.has(key)) throw new VeronaError('conflict', `create ${key}: exists`);
    this.#objects.set(key, { data: body.slice(), modifiedMs: this.#clock.now() });
  }

  async exists(ctx: BucketContext, key: string): Promise<boolean> {
    assertKey(key);
    assertNotAborted(ctx, `look for ${key}`);
    return this.#objects.has(key);
  }

  async attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    const { data, modifiedMs } = this.#find(ctx, `look at ${key}`, key);
    return { sizeBytes: data.length, modifiedMs };
  }

  async delete(ctx: BucketContext, key: string): Promise<void> {
    assertKey(key);
    assertNotAborted(ctx, `delete ${key}`);
    this.#objects.delete(key);
  }

  async *list(ctx: BucketContext, prefix: string, options: ListOptions = {}): AsyncGenerator<ListEntry> {
    assertPrefix(prefix);
    assertNotAborted(ctx, listOf(prefix));
    for (const entry of this.#entries(prefix, options.recursive ?? false)) {
      if (options.startAfter !== undefined && compareStrings(entry.key, options.startAfter) <= 0) continue;
      assertNotAborted(ctx, listOf(prefix));
      yield entry;
    }
  }

  async close(): Promise<void> {}

  #find(ctx: BucketContext, what: string, key: string): StoredObject {
    assertKey(key);
    assertNotAborted(ctx, what);
    const object = this.#objects.get(key);
    if (!object) throw new VeronaError('not_found', `${what}: no such object`);
    return object;
  }

  #entries(prefix: string, recursive: boolean): ListEntry[] {
    const entries = new Map<string, ListEntry>();
    for (const [key, { data, modifiedMs }] of this.#objects) {
      if (!key.startsWith(prefix)) continue;
      const slash = recursive ? -1 : key.indexOf('/', prefix.length);
      const folder = key.slice(0, slash + 1);
      if (slash >= 0) entries.set(folder, { kind: 'folder', key: folder });
      else entries.set(key, { kind: 'object', key, sizeBytes: data.length, modifiedMs });
    }
    return [...entries.values()].sort((a, b) => compareStrings(a.key, b.key));
  }
}

async function gather(ctx: BucketContext, key: string, body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) {
    assertNotAborted(ctx, `upload ${key}`);
    pieces.push(piece.slice());
  }
  assertNotAborted(ctx, `upload ${key}`);
  return new Uint8Array(Buffer.concat(pieces));
}
