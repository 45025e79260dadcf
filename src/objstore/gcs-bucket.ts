import { VeronaError } from '../model/errors.ts';
import { compareStrings } from '../model/labels.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Random } from '../platform/random.ts';
import { answeredLength } from './answered-range.ts';
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
import { isOwnCreation } from './creation.ts';
import { GcsClient } from './gcs-client.ts';
import type { GcsOptions } from './gcs-options.ts';
import { uploadResumable } from './gcs-upload.ts';
import { slices } from './multipart.ts';
import { RetryPolicy } from './retry.ts';
import { StoreCalls } from './store-calls.ts';

export interface GcsDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
}

const LIST_PAGE_SIZE = 1000;
const CHUNK_UNIT_BYTES = 256 * 1024;
const CHUNK_SIZE_BYTES = 16 * 1024 * 1024;
const RETRIES_DEFAULT = 5;
const CONNECTIONS_DEFAULT = 64;
const TIMEOUT_MS = 120_000;

/** A bucket in Google Cloud Storage, over its JSON API. Large uploads go in a resumable session. */
export class GcsBucket implements Bucket {
  readonly name: string;
  readonly #client: GcsClient;
  readonly #calls: StoreCalls;
  readonly #chunkSizeBytes: number;

  private constructor(options: GcsOptions, client: GcsClient, calls: StoreCalls) {
    this.name = `gcs:${options.bucket}`;
    this.#client = client;
    this.#calls = calls;
    this.#chunkSizeBytes = chunkSize(options);
  }

  /** Loads the library for credentials on first use; asks nothing of the store. Throws `bad_data` for settings that cannot be. */
  static async open(options: GcsOptions, deps: GcsDeps): Promise<GcsBucket> {
    chunkSize(options);
    const concurrencyMax = options.http_config?.max_conns_per_host || CONNECTIONS_DEFAULT;
    const client = await GcsClient.open(options, concurrencyMax, deps.disk);
    const timeoutMs = options.http_config?.response_header_timeout_ms || TIMEOUT_MS;
    const retry = new RetryPolicy(deps.random, options.max_retries || RETRIES_DEFAULT);
    return new GcsBucket(options, client, new StoreCalls({ concurrencyMax, timeoutMs }, deps.clock, retry));
  }

  async get(ctx: BucketContext, key: string, sizeBytesMax = GET_SIZE_BYTES_MAX): Promise<Uint8Array> {
    // One byte too many is asked for, so that an object over the size is noticed without its whole being read.
    const data = await this.#read(ctx, key, 0, sizeBytesMax + 1);
    if (data.length > sizeBytesMax) {
      const { sizeBytes } = await this.attributes(ctx, key);
      throw tooLarge(`read ${key}`, sizeBytes, sizeBytesMax);
    }
    return data;
  }

  async getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    assertRange(key, offset, length);
    return this.#read(ctx, key, offset, length);
  }

  async upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    assertKey(key);
    const put = (whole: Uint8Array) => this.#put(ctx, `upload ${key}`, key, whole, '');
    if (body instanceof Uint8Array && body.length <= this.#chunkSizeBytes) return put(body);
    const pieces = body instanceof Uint8Array ? slices(body, this.#chunkSizeBytes) : body;
    const upload = { key, chunkSizeBytes: this.#chunkSizeBytes, put };
    return uploadResumable(ctx, this.#client, this.#calls, pieces, upload);
  }

  /** A generation of 0 is an object that is not there. */
  async create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    assertKey(key);
    const tries = { count: 0 };
    try {
      await this.#put(ctx, `create ${key}`, key, body, '&ifGenerationMatch=0', tries);
    } catch (error) {
      if (!(await isOwnCreation(this, ctx, key, body, error, tries.count))) throw error;
    }
  }

  async exists(ctx: BucketContext, key: string): Promise<boolean> {
    try {
      await this.attributes(ctx, key);
      return true;
    } catch (error) {
      if (error instanceof VeronaError && error.code === 'not_found') return false;
      throw error;
    }
  }

  async attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    assertKey(key);
    const url = `${this.#urlOf(key)}?fields=size,updated`;
    const { body } = await this.#calls.run(ctx, `look at ${key}`, (signal) =>
      this.#client.send({ method: 'GET', url, signal }),
    );
    return attributesOf(JSON.parse(body.toString()) as StoredObject);
  }

  async delete(ctx: BucketContext, key: string): Promise<void> {
    assertKey(key);
    try {
      await this.#calls.run(ctx, `delete ${key}`, (signal) =>
        this.#client.send({ method: 'DELETE', url: this.#urlOf(key), signal }),
      );
    } catch (error) {
      if (!(error instanceof VeronaError && error.code === 'not_found')) throw error;
    }
  }

  async *list(ctx: BucketContext, prefix: string, options: ListOptions = {}): AsyncGenerator<ListEntry> {
    assertPrefix(prefix);
    const { startAfter } = options;
    let pageToken: string | undefined;
    do {
      const page = await this.#page(ctx, prefix, options, pageToken);
      for (const entry of page.entries) {
        assertNotAborted(ctx, listOf(prefix));
        // The store begins at a name, not after it.
        if (startAfter === undefined || compareStrings(entry.key, startAfter) > 0) yield entry;
      }
      pageToken = page.next;
    } while (pageToken !== undefined);
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #page(
    ctx: BucketContext,
    prefix: string,
    { recursive, startAfter }: ListOptions,
    pageToken?: string,
  ) {
    const query = new URLSearchParams({ maxResults: String(LIST_PAGE_SIZE) });
    query.set('fields', 'items(name,size,updated),prefixes,nextPageToken');
    if (prefix !== '') query.set('prefix', prefix);
    if (!recursive) query.set('delimiter', '/');
    if (startAfter !== undefined) query.set('startOffset', startAfter);
    if (pageToken !== undefined) query.set('pageToken', pageToken);
    const url = `${this.#client.objectsUrl}?${query}`;
    const { body } = await this.#calls.run(ctx, listOf(prefix), (signal) =>
      this.#client.send({ method: 'GET', url, signal }),
    );
    const page = JSON.parse(body.toString()) as Page;
    const folders = (page.prefixes ?? []).map((key): ListEntry => ({ kind: 'folder', key }));
    const objects = (page.items ?? [])
      // Consoles make objects whose name ends in `/` to show a folder; they hold nothing.
      .filter(({ name }) => !name.endsWith('/'))
      .map((item): ListEntry => ({ kind: 'object', key: item.name, ...attributesOf(item) }));
    const entries = [...folders, ...objects].sort((a, b) => compareStrings(a.key, b.key));
    return { entries, next: page.nextPageToken };
  }

  async #read(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    assertKey(key);
    const url = `${this.#urlOf(key)}?alt=media`;
    const headers = { range: `bytes=${offset}-${offset + length - 1}` };
    const what = `read ${key}`;
    const {
      status,
      body,
      headers: answered,
    } = await this.#calls.run(ctx, what, async (signal) => {
      const answer = await this.#client.send({ method: 'GET', url, headers, signal, accepts: [416] });
      assertWhole(answer);
      return answer;
    });
    // 416: the object ends before the range begins.
    if (status === 416) return new Uint8Array(0);
    if (status !== 206) return body.subarray(offset, offset + length);
    const contentRange = answered.get('content-range') ?? undefined;
    answeredLength(what, { offset, length }, { contentRange, contentLength: body.length });
    return body;
  }

  async #put(
    ctx: BucketContext,
    what: string,
    key: string,
    body: Uint8Array,
    condition: string,
    tries = { count: 0 },
  ): Promise<void> {
    const url = `${this.#client.uploadUrl}?uploadType=media&name=${encodeURIComponent(key)}${condition}`;
    const headers = { 'content-type': 'application/octet-stream' };
    await this.#calls.run(ctx, what, (signal) => {
      tries.count++;
      return this.#client.send({ method: 'POST', url, headers, body, signal });
    });
  }

  #urlOf(key: string): string {
    return `${this.#client.objectsUrl}/${encodeURIComponent(key)}`;
  }
}

interface StoredObject {
  readonly size?: string;
  readonly updated?: string;
}

interface Page {
  readonly items?: readonly (StoredObject & { readonly name: string })[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

function attributesOf({ size, updated }: StoredObject): ObjectAttributes {
  return { sizeBytes: Number(size ?? 0), modifiedMs: Date.parse(updated ?? '') || 0 };
}

/** A body that broke off is as good as none. */
function assertWhole({ headers, body }: { readonly headers: Headers; readonly body: Buffer }): void {
  const announced = Number(headers.get('content-length') ?? body.length);
  if (body.length < announced)
    throw Object.assign(new Error(`body ended at ${body.length} of ${announced} bytes`), {
      code: 'ECONNRESET',
    });
}

function chunkSize({ bucket, chunk_size_bytes }: GcsOptions): number {
  if (!bucket) throw new VeronaError('bad_data', 'GCS bucket configuration: bucket is empty');
  const wanted = chunk_size_bytes || CHUNK_SIZE_BYTES;
  return Math.max(CHUNK_UNIT_BYTES, wanted - (wanted % CHUNK_UNIT_BYTES));
}
