import { VeronaError } from '../model/errors.ts';
import { assertNotAborted, type BucketContext } from './bucket.ts';

/** What an upload in parts asks of the store. */
export interface PartStore {
  readonly partSizeBytes: number;
  /** Stores a body that turned out to fit into one part. */
  put(whole: Uint8Array): Promise<void>;
  begin(): Promise<string>;
  /** Returns the tag by which `complete` names the part. Numbers count from 1. */
  putPart(uploadId: string, number: number, part: Uint8Array, signal: AbortSignal): Promise<string>;
  complete(uploadId: string, etags: readonly string[], sizeBytes: number): Promise<void>;
  abort(uploadId: string): Promise<void>;
}

const PARTS_AT_ONCE_MAX = 4;
const PARTS_MAX = 10_000;

/**
 * Uploads a body of unknown length: as one object when it fits into a part, otherwise in parts, of which at most
 * `PARTS_AT_ONCE_MAX` are in memory. When anything fails the parts are taken back and the first error is thrown;
 * a store that cannot be reached even for that keeps them until its own clean-up.
 */
export async function uploadParts(
  ctx: BucketContext,
  body: AsyncIterable<Uint8Array>,
  store: PartStore,
): Promise<void> {
  const parts = new PartsInFlight(ctx, store);
  try {
    let number = 0;
    for await (const { part, last } of partsOf(body, store.partSizeBytes)) {
      assertNotAborted(ctx, 'upload');
      if (last && number === 0) return await store.put(part);
      if (++number > PARTS_MAX)
        throw new VeronaError(
          'too_large',
          `upload: more than ${PARTS_MAX} parts of ${store.partSizeBytes} bytes`,
        );
      await parts.start(number, part);
    }
    await parts.finish();
  } catch (error) {
    await parts.takeBack(error);
    throw error;
  } finally {
    parts.end();
  }
}

/** The parts of one upload that are under way, and what the store answered to the others. */
class PartsInFlight {
  readonly #store: PartStore;
  readonly #stopped = new AbortController();
  readonly #ended = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #etags: string[] = [];
  #sizeBytes = 0;
  #uploadId: string | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(ctx: BucketContext, store: PartStore) {
    this.#store = store;
    // Not AbortSignal.any: the caller's signal may be one of our own making.
    ctx.signal.addEventListener('abort', () => this.#stopped.abort(ctx.signal.reason), {
      once: true,
      signal: this.#ended.signal,
    });
    if (ctx.signal.aborted) this.#stopped.abort(ctx.signal.reason);
  }

  /** Resolves when there is room for one more; throws what an earlier part failed with. */
  async start(number: number, part: Uint8Array): Promise<void> {
    this.#uploadId ??= await this.#store.begin();
    this.#sizeBytes += part.length;
    const running: Promise<void> = this.#send(this.#uploadId, number, part).finally(() =>
      this.#running.delete(running),
    );
    this.#running.add(running);
    if (this.#running.size >= PARTS_AT_ONCE_MAX) await Promise.race(this.#running);
    this.#throwFailure();
  }

  async finish(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFailure();
    await this.#store.complete(this.#uploadId as string, this.#etags, this.#sizeBytes);
  }

  /** Nothing listens to the caller's signal any more. */
  end(): void {
    this.#ended.abort();
  }

  async takeBack(reason: unknown): Promise<void> {
    this.#stopped.abort(reason);
    await Promise.all(this.#running);
    if (this.#uploadId !== undefined) await this.#store.abort(this.#uploadId).catch(() => {});
  }

  /** Never rejects: a failure is kept, since the caller may be busy with the body when it happens. */
  async #send(uploadId: string, number: number, part: Uint8Array): Promise<void> {
    try {
      this.#etags[number - 1] = await this.#store.putPart(uploadId, number, part, this.#stopped.signal);
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }
}

/** A body in views of at most `length` bytes. */
export async function* slices(body: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += length) yield body.subarray(at, at + length);
}

/** Cuts a body into parts of exactly `sizeBytes`, the last one shorter or empty only when it is the only one. Each part owns its bytes. */
export async function* partsOf(
  body: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): AsyncGenerator<{ part: Uint8Array; last: boolean }> {
  let part = new Uint8Array(sizeBytes);
  let filled = 0;
  for await (const piece of body)
    for (let at = 0; at < piece.length; ) {
      // A full part is handed on only when more follows, so that the last one is known as such.
      if (filled === sizeBytes) {
        yield { part, last: false };
        part = new Uint8Array(sizeBytes);
        filled = 0;
      }
      const count = Math.min(sizeBytes - filled, piece.length - at);
      part.set(piece.subarray(at, at + count), filled);
      filled += count;
      at += count;
    }
  yield { part: part.subarray(0, filled), last: true };
}
