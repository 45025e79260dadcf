import type { BlockBlobClient, ContainerClient } from '@azure/storage-blob';
import { VeronaError } from '../model/errors.ts';
import { compareStrings } from '../model/labels.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { answeredLength } from './answered-range.ts';
import { openContainer } from './azure-client.ts';
import { type AzureOptions, resolveAzure } from './azure-options.ts';
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
import { slices, uploadParts } from './multipart.ts';
import { RetryPolicy } from './retry.ts';
import { StoreAnswer, StoreCalls } from './store-calls.ts';

export interface AzureDeps {
  readonly clock: Clock;
  readonly random: Random;
}

const LIST_PAGE_SIZE = 1000;
const BLOCK_SIZE_BYTES = 8 * 1024 * 1024;

/**
 * A container in Azure Blob Storage. Large uploads go in blocks that become the object at once; blocks of an upload
 * that failed are never seen, and the store drops them within a week.
 */
export class AzureBucket implements Bucket {
  readonly name: string;
  readonly #container: ContainerClient;
  readonly #calls: StoreCalls;
  readonly #random: Random;
  #made: Promise<void> | undefined;
  readonly #makesContainer: boolean;

  private constructor(options: AzureOptions, container: ContainerClient, calls: StoreCalls, random: Random) {
    this.name = `azure:${options.storage_account}/${options.container}`;
    this.#container = container;
    this.#calls = calls;
    this.#random = random;
    this.#makesContainer = options.storage_create_container ?? true;
  }

  /** Loads the client library on first use; asks nothing of the store. Throws `bad_data` for settings that cannot be. */
  static async open(options: AzureOptions, { clock, random }: AzureDeps): Promise<AzureBucket> {
    const settings = resolveAzure(options);
    const calls = new StoreCalls(settings, clock, new RetryPolicy(random, settings.retriesMax));
    return new AzureBucket(options, await openContainer(options, settings), calls, random);
  }

  async get(ctx: BucketContext, key: string, sizeBytesMax = GET_SIZE_BYTES_MAX): Promise<Uint8Array> {
    return this.#download(ctx, key, 0, undefined, sizeBytesMax);
  }

  async getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    assertRange(key, offset, length);
    return this.#download(ctx, key, offset, length, length);
  }

  async upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    const blob = this.#blob(key);
    if (body instanceof Uint8Array && body.length <= BLOCK_SIZE_BYTES)
      return this.#put(ctx, `upload ${key}`, blob, body);
    return uploadParts(ctx, body instanceof Uint8Array ? slices(body, BLOCK_SIZE_BYTES) : body, {
      partSizeBytes: BLOCK_SIZE_BYTES,
      put: (whole) => this.#put(ctx, `upload ${key}`, blob, whole),
      begin: async () => Buffer.from(this.#random.bytes(12)).toString('hex'),
      putPart: (uploadId, number, part, signal) =>
        this.#putBlock({ signal }, `upload ${key}: block ${number}`, blob, blockId(uploadId, number), part),
      complete: (_, ids) => this.#commit(ctx, `upload ${key}: complete`, blob, ids),
      abort: async () => {},
    });
  }

  async create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    const tries = { count: 0 };
    try {
      await this.#put(ctx, `create ${key}`, this.#blob(key), body, '*', tries);
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
    const blob = this.#blob(key);
    const found = await this.#send(ctx, `look at ${key}`, (abortSignal) =>
      blob.getProperties({ abortSignal }),
    );
    return { sizeBytes: found.contentLength ?? 0, modifiedMs: found.lastModified?.getTime() ?? 0 };
  }

  async delete(ctx: BucketContext, key: string): Promise<void> {
    const blob = this.#blob(key);
    await this.#send(ctx, `delete ${key}`, (abortSignal) =>
      blob.deleteIfExists({ abortSignal, deleteSnapshots: 'include' }),
    );
  }

  async *list(ctx: BucketContext, prefix: string, options: ListOptions = {}): AsyncGenerator<ListEntry> {
    assertPrefix(prefix);
    const { startAfter } = options;
    let token: string | undefined;
    do {
      const page = await this.#page(ctx, prefix, options.recursive ?? false, token);
      for (const entry of page.entries) {
        assertNotAborted(ctx, listOf(prefix));
        // The store cannot begin at a key.
        if (startAfter === undefined || compareStrings(entry.key, startAfter) > 0) yield entry;
      }
      token = page.next;
    } while (token);
  }

  async close(): Promise<void> {}

  async #page(ctx: BucketContext, prefix: string, recursive: boolean, continuationToken: string | undefined) {
    const page = await this.#send(ctx, listOf(prefix), async (abortSignal) => {
      const options = { abortSignal, ...(prefix === '' ? {} : { prefix }) };
      const size = { maxPageSize: LIST_PAGE_SIZE, ...(continuationToken ? { continuationToken } : {}) };
      const pages = recursive
        ? this.#container.listBlobsFlat(options).byPage(size)
        : this.#container.listBlobsByHierarchy('/', options).byPage(size);
      return (await pages.next()).value;
    });
    const { blobItems = [], blobPrefixes = [] } = (page?.segment ?? {}) as Segment;
    const folders = blobPrefixes.map(({ name }): ListEntry => ({ kind: 'folder', key: name }));
    const objects = blobItems
      // Tools make objects whose name ends in `/` to show a folder; they hold nothing.
      .filter(({ name }) => !name.endsWith('/'))
      .map(
        ({ name, properties }): ListEntry => ({
          kind: 'object',
          key: name,
          sizeBytes: properties.contentLength ?? 0,
          modifiedMs: properties.lastModified.getTime(),
        }),
      );
    const entries = [...folders, ...objects].sort((a, b) => compareStrings(a.key, b.key));
    return { entries, next: page?.continuationToken as string | undefined };
  }

  async #download(
    ctx: BucketContext,
    key: string,
    offset: number,
    length: number | undefined,
    sizeBytesMax: number,
  ): Promise<Uint8Array> {
    const blob = this.#blob(key);
    const what = `read ${key}`;
    return this.#send(ctx, what, async (abortSignal) => {
      try {
        const answer = await blob.download(offset, length, { abortSignal, maxRetryRequests: 0 });
        const body = answer.readableStreamBody as unknown as Body;
        try {
          const asked = length === undefined ? undefined : { offset, length };
          const announced = answeredLength(what, asked, answer) ?? 0;
          if (announced > sizeBytesMax) throw tooLarge(what, announced, sizeBytesMax);
          return await readBody(body, announced);
        } catch (error) {
          body.destroy();
          throw error;
        }
      } catch (error) {
        // 416: the object ends before the range begins.
        if ((error as { statusCode?: number }).statusCode === 416) return new Uint8Array(0);
        throw error;
      }
    });
  }

  async #put(
    ctx: BucketContext,
    what: string,
    blob: BlockBlobClient,
    body: Uint8Array,
    ifNoneMatch?: string,
    tries = { count: 0 },
  ): Promise<void> {
    const conditions = ifNoneMatch === undefined ? {} : { ifNoneMatch };
    await this.#send(ctx, what, async (abortSignal) => {
      tries.count++;
      await blob.upload(Buffer.from(body.buffer, body.byteOffset, body.length), body.length, {
        abortSignal,
        conditions,
      });
    });
  }

  async #putBlock(
    ctx: BucketContext,
    what: string,
    blob: BlockBlobClient,
    id: string,
    part: Uint8Array,
  ): Promise<string> {
    const body = Buffer.from(part.buffer, part.byteOffset, part.length);
    await this.#send(ctx, what, (abortSignal) => blob.stageBlock(id, body, body.length, { abortSignal }));
    return id;
  }

  async #commit(
    ctx: BucketContext,
    what: string,
    blob: BlockBlobClient,
    ids: readonly string[],
  ): Promise<void> {
    await this.#send(ctx, what, (abortSignal) => blob.commitBlockList([...ids], { abortSignal }));
  }

  #blob(key: string): BlockBlobClient {
    assertKey(key);
    return this.#container.getBlockBlobClient(key);
  }

  async #send<T>(ctx: BucketContext, what: string, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#calls.run(ctx, what, async (signal) => {
      try {
        return await run(signal);
      } catch (error) {
        if (!isContainerMissing(error)) throw error;
        if (!this.#makesContainer) throw new StoreAnswer(404, 'no such container', true);
      }
      await this.#make(signal);
      return run(signal);
    });
  }

  /** The container, once for all who miss it. */
  async #make(abortSignal: AbortSignal): Promise<void> {
    this.#made ??= this.#container.createIfNotExists({ abortSignal }).then(() => {});
    try {
      await this.#made;
    } finally {
      this.#made = undefined;
    }
  }
}

type Body = AsyncIterable<Uint8Array> & { destroy(): void };

interface Segment {
  readonly blobItems?: readonly {
    readonly name: string;
    readonly properties: { readonly contentLength?: number; readonly lastModified: Date };
  }[];
  readonly blobPrefixes?: readonly { readonly name: string }[];
}

async function readBody(body: Body, sizeBytes: number): Promise<Uint8Array> {
  const data = new Uint8Array(sizeBytes);
  let at = 0;
  for await (const piece of body) {
    data.set(piece, at);
    at += piece.length;
  }
  if (at < sizeBytes)
    throw Object.assign(new Error(`body ended at ${at} of ${sizeBytes} bytes`), { code: 'ECONNRESET' });
  return data;
}

/** All ids of one object have one length. */
function blockId(uploadId: string, number: number): string {
  return Buffer.from(`${uploadId}-${String(number).padStart(6, '0')}`).toString('base64');
}

function isContainerMissing(error: unknown): boolean {
  const { statusCode, code, details } = (error ?? {}) as {
    statusCode?: number;
    code?: string;
    details?: { errorCode?: string };
  };
  return statusCode === 404 && [code, details?.errorCode].includes('ContainerNotFound');
}
