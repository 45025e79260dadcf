import { VeronaError } from '../model/errors.ts';
import { assertNotAborted, type BucketContext } from './bucket.ts';
import type { GcsClient } from './gcs-client.ts';
import { partsOf } from './multipart.ts';
import type { StoreCalls } from './store-calls.ts';

const INCOMPLETE = 308;

export interface GcsUpload {
  readonly key: string;
  /** A multiple of 256 KiB. */
  readonly chunkSizeBytes: number;
  /** Stores a body that turned out to fit into one piece. */
  put(whole: Uint8Array): Promise<void>;
}

/**
 * Uploads a body of unknown length in a resumable session, piece after piece; a piece whose answer was lost goes on
 * where the store says it stopped. A session that fails or is cancelled is taken back: nothing of it is ever seen.
 */
export async function uploadResumable(
  ctx: BucketContext,
  client: GcsClient,
  calls: StoreCalls,
  body: AsyncIterable<Uint8Array>,
  { key, chunkSizeBytes, put }: GcsUpload,
): Promise<void> {
  let session: Session | undefined;
  try {
    for await (const { part, last } of partsOf(body, chunkSizeBytes)) {
      assertNotAborted(ctx, `upload ${key}`);
      if (last && !session) return await put(part);
      session ??= await Session.begin(ctx, client, calls, key);
      await session.send(ctx, part, last);
    }
  } catch (error) {
    await session?.cancel();
    throw error;
  }
}

class Session {
  readonly #client: GcsClient;
  readonly #calls: StoreCalls;
  readonly #key: string;
  readonly #url: string;
  #offset = 0;

  private constructor(client: GcsClient, calls: StoreCalls, key: string, url: string) {
    this.#client = client;
    this.#calls = calls;
    this.#key = key;
    this.#url = url;
  }

  static async begin(
    ctx: BucketContext,
    client: GcsClient,
    calls: StoreCalls,
    key: string,
  ): Promise<Session> {
    const url = `${client.uploadUrl}?uploadType=resumable&name=${encodeURIComponent(key)}`;
    const { headers } = await calls.run(ctx, `upload ${key}`, (signal) =>
      client.send({
        method: 'POST',
        url,
        signal,
        headers: { 'content-type': 'application/json' },
        body: '{}',
      }),
    );
    const location = headers.get('location');
    if (!location) throw new VeronaError('internal', `upload ${key}: the store opened no session`);
    return new Session(client, calls, key, location);
  }

  async send(ctx: BucketContext, part: Uint8Array, isLast: boolean): Promise<void> {
    const start = this.#offset;
    const total = isLast ? String(start + part.length) : '*';
    let isFirstTry = true;
    while (this.#offset < start + part.length || isLast) {
      const done = await this.#calls.run(ctx, `upload ${this.#key}`, async (signal) => {
        if (!isFirstTry && (await this.#ask(signal, total))) return true;
        isFirstTry = false;
        if (this.#offset < start)
          throw new VeronaError('internal', `upload ${this.#key}: the store lost a piece`);
        return this.#put(signal, part.subarray(this.#offset - start), total);
      });
      if (done) return;
    }
  }

  /** Runs also after the caller gave up. The store forgets a session by itself within a week. */
  async cancel(): Promise<void> {
    const { signal } = new AbortController();
    await this.#calls
      .run({ signal }, `upload ${this.#key}: take back`, (attempt) =>
        this.#client.send({ method: 'DELETE', url: this.#url, signal: attempt, accepts: [404, 410, 499] }),
      )
      .catch(() => {});
  }

  /** Whether the object is complete. */
  async #put(signal: AbortSignal, bytes: Uint8Array, total: string): Promise<boolean> {
    const end = this.#offset + bytes.length;
    const range = bytes.length > 0 ? `${this.#offset}-${end - 1}` : '*';
    return this.#take(signal, `bytes ${range}/${total}`, bytes);
  }

  /** Asks how far the session is. */
  #ask(signal: AbortSignal, total: string): Promise<boolean> {
    return this.#take(signal, `bytes */${total}`, new Uint8Array(0));
  }

  async #take(signal: AbortSignal, range: string, body: Uint8Array): Promise<boolean> {
    const headers = { 'content-range': range, 'content-length': String(body.length) };
    const url = this.#url;
    const answer = await this.#client.send({
      method: 'PUT',
      url,
      headers,
      body,
      signal,
      accepts: [INCOMPLETE],
    });
    if (answer.status !== INCOMPLETE) return true;
    const persisted = /^bytes=0-(\d+)$/.exec(answer.headers.get('range') ?? '');
    this.#offset = persisted ? Number(persisted[1]) + 1 : 0;
    return false;
  }
}
