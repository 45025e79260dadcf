import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import { VeronaError } from '../model/errors.ts';
import { compareStrings } from '../model/labels.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Random } from '../platform/random.ts';
import { type AskedRange, answeredLength } from './answered-range.ts';
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
import { readBody, type S3Body } from './s3-body.ts';
import { type OpenS3, openS3Client } from './s3-client.ts';
import { isRetryable, s3Error, statusOf } from './s3-error.ts';
import type { S3Options } from './s3-options.ts';
import { StoreCalls } from './store-calls.ts';

const LIST_PAGE_SIZE = 1000;
/** Of an upload that may not go in parts. */
const WHOLE_UPLOAD_BYTES_MAX = 2 * 1024 ** 3;

export interface S3Deps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * A bucket in Amazon S3 or a store that speaks like it. Requests are bounded in number, in time and in retries;
 * large uploads go in parts, which a failed or cancelled upload takes back.
 */
export class S3Bucket implements Bucket {
  readonly name: string;
  readonly #client: S3Client;
  readonly #sdk: OpenS3['sdk'];
  readonly #settings: OpenS3['settings'];
  readonly #putParams: OpenS3['putParams'];
  readonly #customerKey: OpenS3['customerKey'];
  readonly #calls: StoreCalls;

  private constructor(opened: OpenS3, clock: Clock) {
    this.#client = opened.client;
    this.#sdk = opened.sdk;
    this.#settings = opened.settings;
    this.#putParams = opened.putParams;
    this.#customerKey = opened.customerKey;
    const { concurrencyMax } = opened.settings;
    const errors = { isRetryable, toError: s3Error };
    this.#calls = new StoreCalls({ concurrencyMax, errors }, clock, opened.retry);
    this.name = `s3:${opened.settings.endpoint}/${opened.settings.bucket}`;
  }

  /** Loads the client library on first use; asks nothing of the store. Throws `bad_data` for settings that cannot be. */
  static async open(options: S3Options, deps: S3Deps): Promise<S3Bucket> {
    return new S3Bucket(await openS3Client(options, deps), deps.clock);
  }

  async get(ctx: BucketContext, key: string, sizeBytesMax = GET_SIZE_BYTES_MAX): Promise<Uint8Array> {
    assertKey(key);
    return this.#fetch(ctx, key, undefined, sizeBytesMax);
  }

  async getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    assertKey(key);
    assertRange(key, offset, length);
    try {
      return await this.#fetch(ctx, key, { offset, length }, length);
    } catch (error) {
      // 416: the object ends before the range begins.
      if (statusOf((error as Error).cause) === 416) return new Uint8Array(0);
      throw error;
    }
  }

  async upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    assertKey(key);
    const { partSizeBytes, multipart } = this.#settings;
    const what = `upload ${key}`;
    if (body instanceof Uint8Array && (body.length <= partSizeBytes || !multipart))
      return this.#put(ctx, what, key, body);
    if (!(body instanceof Uint8Array) && !multipart)
      return this.#put(ctx, what, key, await gather(ctx, what, body));
    return uploadParts(ctx, body instanceof Uint8Array ? slices(body, partSizeBytes) : body, {
      partSizeBytes,
      put: (whole) => this.#put(ctx, `upload ${key}`, key, whole),
      begin: () => this.#beginParts(ctx, key),
      putPart: (uploadId, number, part, signal) => this.#putPart(signal, key, uploadId, number, part),
      complete: (uploadId, etags, sizeBytes) => this.#completeParts(ctx, key, uploadId, etags, sizeBytes),
      abort: (uploadId) => this.#abortParts(key, uploadId),
    });
  }

  async create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    assertKey(key);
    const tries = { count: 0 };
    try {
      await this.#put(ctx, `create ${key}`, key, body, '*', tries);
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
    const { HeadObjectCommand } = this.#sdk;
    return this.#send(ctx, `look at ${key}`, async (abortSignal) => {
      const head = await this.#client.send(new HeadObjectCommand(this.#object(key)), { abortSignal });
      return { sizeBytes: head.ContentLength ?? 0, modifiedMs: head.LastModified?.getTime() ?? 0 };
    });
  }

  async delete(ctx: BucketContext, key: string): Promise<void> {
    assertKey(key);
    const { DeleteObjectCommand } = this.#sdk;
    await this.#send(ctx, `delete ${key}`, async (abortSignal) => {
      try {
        await this.#client.send(new DeleteObjectCommand(this.#target(key)), { abortSignal });
      } catch (error) {
        // Some stores say so when there was nothing; a missing bucket is something else.
        if ((error as Error).name !== 'NoSuchKey') throw error;
      }
    });
  }

  async *list(ctx: BucketContext, prefix: string, options: ListOptions = {}): AsyncGenerator<ListEntry> {
    assertPrefix(prefix);
    let token: string | undefined;
    do {
      const page = await this.#page(ctx, prefix, options, token);
      for (const entry of page.entries) {
        assertNotAborted(ctx, listOf(prefix));
        // A folder may come again although an entry in it was named as the start.
        if (options.startAfter === undefined || compareStrings(entry.key, options.startAfter) > 0)
          yield entry;
      }
      token = page.next;
    } while (token !== undefined);
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #page(
    ctx: BucketContext,
    prefix: string,
    options: ListOptions,
    token: string | undefined,
  ): Promise<{ entries: ListEntry[]; next: string | undefined }> {
    const { listVersion } = this.#settings;
    const page = await this.#send(ctx, listOf(prefix), (signal) =>
      listVersion === 1
        ? this.#pageOfOld(signal, prefix, options, token)
        : this.#pageOf(signal, prefix, options, token),
    );
    const folders = (page.CommonPrefixes ?? []).map(
      (folder): ListEntry => ({ kind: 'folder', key: folder.Prefix ?? '' }),
    );
    const objects = (page.Contents ?? []).map(
      (object): ListEntry => ({
        kind: 'object',
        key: object.Key ?? '',
        sizeBytes: object.Size ?? 0,
        modifiedMs: object.LastModified?.getTime() ?? 0,
      }),
    );
    const entries = [...folders, ...objects].sort((a, b) => compareStrings(a.key, b.key));
    const next = listVersion === 1 ? (page.next ?? entries.at(-1)?.key) : page.next;
    // Consoles make objects whose key ends in `/` to show a folder; they hold nothing.
    const isShown = ({ kind, key }: ListEntry) => kind === 'folder' || !key.endsWith('/');
    return { entries: entries.filter(isShown), next: page.IsTruncated ? next : undefined };
  }

  async #pageOf(abortSignal: AbortSignal, prefix: string, options: ListOptions, token: string | undefined) {
    const { ListObjectsV2Command } = this.#sdk;
    const command = new ListObjectsV2Command({
      ...this.#listing(prefix, options),
      StartAfter: options.startAfter,
      ContinuationToken: token,
    });
    const page = await this.#client.send(command, { abortSignal });
    return { ...page, next: page.NextContinuationToken };
  }

  /** The first version of the listing goes on after a key, which the store names only when there are folders. */
  async #pageOfOld(
    abortSignal: AbortSignal,
    prefix: string,
    options: ListOptions,
    token: string | undefined,
  ) {
    const { ListObjectsCommand } = this.#sdk;
    const Marker = token ?? options.startAfter;
    const command = new ListObjectsCommand({ ...this.#listing(prefix, options), Marker });
    const page = await this.#client.send(command, { abortSignal });
    return { ...page, next: page.NextMarker };
  }

  #listing(prefix: string, { recursive }: ListOptions) {
    return {
      Bucket: this.#settings.bucket,
      Prefix: prefix === '' ? undefined : prefix,
      Delimiter: recursive ? undefined : '/',
      MaxKeys: LIST_PAGE_SIZE,
    };
  }

  async #fetch(
    ctx: BucketContext,
    key: string,
    range: AskedRange,
    sizeBytesMax: number,
  ): Promise<Uint8Array> {
    const { GetObjectCommand } = this.#sdk;
    const what = `read ${key}`;
    const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
    return this.#send(ctx, what, async (abortSignal) => {
      const command = new GetObjectCommand({ ...this.#object(key), Range });
      const answer = await this.#client.send(command, { abortSignal });
      const body = answer.Body as unknown as S3Body;
      const { ContentRange: contentRange, ContentLength: contentLength } = answer;
      try {
        const announced = answeredLength(what, range, { contentRange, contentLength });
        return await readBody(what, body, announced, sizeBytesMax, abortSignal);
      } catch (error) {
        body.destroy();
        throw error;
      }
    });
  }

  async #put(
    ctx: BucketContext,
    what: string,
    key: string,
    body: Uint8Array,
    IfNoneMatch?: string,
    tries = { count: 0 },
  ): Promise<void> {
    const { PutObjectCommand } = this.#sdk;
    const command = {
      ...this.#putParams,
      ...this.#object(key),
      Body: body,
      IfNoneMatch,
      ContentMD5: this.#md5(body),
    };
    await this.#send(ctx, what, async (abortSignal) => {
      tries.count++;
      await this.#client.send(new PutObjectCommand(command), { abortSignal });
    });
  }

  async #beginParts(ctx: BucketContext, key: string): Promise<string> {
    const { CreateMultipartUploadCommand } = this.#sdk;
    return this.#send(ctx, `upload ${key}`, async (abortSignal) => {
      const command = new CreateMultipartUploadCommand({ ...this.#putParams, ...this.#object(key) });
      const { UploadId } = await this.#client.send(command, { abortSignal });
      if (!UploadId) throw new VeronaError('internal', `upload ${key}: the store gave no upload id`);
      return UploadId;
    });
  }

  async #putPart(
    signal: AbortSignal,
    key: string,
    UploadId: string,
    PartNumber: number,
    Body: Uint8Array,
  ): Promise<string> {
    const { UploadPartCommand } = this.#sdk;
    return this.#send({ signal }, `upload ${key}: part ${PartNumber}`, async (abortSignal) => {
      const command = new UploadPartCommand({
        ...this.#object(key),
        UploadId,
        PartNumber,
        Body,
        ContentMD5: this.#md5(Body),
      });
      const { ETag } = await this.#client.send(command, { abortSignal });
      return ETag ?? '';
    });
  }

  async #completeParts(
    ctx: BucketContext,
    key: string,
    UploadId: string,
    etags: readonly string[],
    sizeBytes: number,
  ): Promise<void> {
    const { CompleteMultipartUploadCommand } = this.#sdk;
    const Parts = etags.map((ETag, i) => ({ ETag, PartNumber: i + 1 }));
    const command = { ...this.#object(key), UploadId, MultipartUpload: { Parts } };
    let tries = 0;
    await this.#send(ctx, `upload ${key}: complete`, async (abortSignal) => {
      tries++;
      try {
        await this.#client.send(new CompleteMultipartUploadCommand(command), { abortSignal });
      } catch (error) {
        // The upload is gone because an earlier try, whose answer was lost, completed it.
        const isGone = tries > 1 && statusOf(error) === 404;
        if (!isGone || !(await this.#isInParts(abortSignal, key, etags.length, sizeBytes))) throw error;
      }
    });
  }

  /** Whether the object was put together from so many parts of so many bytes. */
  async #isInParts(
    abortSignal: AbortSignal,
    key: string,
    parts: number,
    sizeBytes: number,
  ): Promise<boolean> {
    const { HeadObjectCommand } = this.#sdk;
    const head = await this.#client.send(new HeadObjectCommand(this.#object(key)), { abortSignal });
    return head.ContentLength === sizeBytes && (head.ETag ?? '').replaceAll('"', '').endsWith(`-${parts}`);
  }

  /** Runs also after the caller gave up, so under its own deadline. */
  async #abortParts(key: string, UploadId: string): Promise<void> {
    const { AbortMultipartUploadCommand } = this.#sdk;
    const signal = AbortSignal.timeout(this.#settings.responseTimeoutMs);
    await this.#send({ signal }, `upload ${key}: take back`, async (abortSignal) => {
      await this.#client.send(new AbortMultipartUploadCommand({ ...this.#target(key), UploadId }), {
        abortSignal,
      });
    });
  }

  /** An object with what reading and writing it needs. */
  #object(key: string): { Bucket: string; Key: string } & OpenS3['customerKey'] {
    return { ...this.#customerKey, ...this.#target(key) };
  }

  #md5(body: Uint8Array): string | undefined {
    return this.#settings.sendMd5 ? createHash('md5').update(body).digest('base64') : undefined;
  }

  #target(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#settings.bucket, Key: key };
  }

  #send<T>(ctx: BucketContext, what: string, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#calls.run(ctx, what, run);
  }
}

/** Whole in memory; `too_large` beyond what one request can hold. */
async function gather(
  ctx: BucketContext,
  what: string,
  body: AsyncIterable<Uint8Array>,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of body) {
    assertNotAborted(ctx, what);
    pieces.push(piece.slice());
    sizeBytes += piece.length;
    if (sizeBytes > WHOLE_UPLOAD_BYTES_MAX) throw tooLarge(what, sizeBytes, WHOLE_UPLOAD_BYTES_MAX);
  }
  assertNotAborted(ctx, what);
  return Buffer.concat(pieces);
}
