import { VeronaError } from '../../../../model/errors.ts';
import { type Clock, sleep } from '../../../../platform/clock.ts';
import type { Logger } from '../../../../platform/log.ts';
import type { WebResponse } from '../../../../platform/web-client.ts';
import type { ConfiguredClient } from '../../credentials.ts';
import type { ScrapeMetrics } from '../../scrape-metrics.ts';
import { type KubeObject, keyOf } from './objects.ts';

const PAGE_LIMIT = 500;
const PAGE_BYTES_MAX = 256 * 1024 * 1024;
const EVENT_BYTES_MAX = 16 * 1024 * 1024;
const OBJECTS_MAX = 1_000_000;
/** A watch is begun anew after so long, by the server. */
const WATCH_SECONDS = 300;
/** A list, or a watch that says nothing although the server should have ended it, is given up after so long. */
const LIST_TIMEOUT_MS = 60_000;
const WATCH_TIMEOUT_MS = (WATCH_SECONDS + 60) * 1000;
const BACKOFF_MIN_MS = 1000;
const BACKOFF_MAX_MS = 30_000;

export interface ObjectCacheDeps {
  readonly client: ConfiguredClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ScrapeMetrics;
  readonly userAgent: string;
}

/** What to list and watch. */
export interface ResourceQuery {
  /** With `/api/v1/…`, below the server. */
  readonly url: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

interface List {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly KubeObject[] | null;
}

interface WatchEvent {
  readonly type?: string;
  readonly object?: KubeObject & { readonly code?: number; readonly message?: string };
}

/** The server does not know the version any more from which it was to go on. */
class GoneError extends Error {}

/**
 * The objects of one kind, kept as the API server has them: listed in pages, then watched from the version of the list.
 * When that version is gone (410) they are listed again; while the server does not answer they stay as they were.
 */
export class ObjectCache<T extends KubeObject> {
  readonly #query: ResourceQuery;
  readonly #deps: ObjectCacheDeps;
  #objects = new Map<string, T>();
  /** Whether there was a complete list. */
  isSynced = false;
  #version = '';

  constructor(query: ResourceQuery, deps: ObjectCacheDeps) {
    this.#query = query;
    this.#deps = deps;
  }

  /** By `namespace/name`. */
  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  /** Lists and watches until the signal aborts; `changed` after each change. */
  async run(signal: AbortSignal, changed: () => void): Promise<void> {
    let backoff = BACKOFF_MIN_MS;
    while (!signal.aborted) {
      try {
        if (this.#version === '') {
          await this.#list(signal);
          changed();
        }
        await this.#watch(signal, changed);
        backoff = BACKOFF_MIN_MS;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof GoneError) this.#version = '';
        else this.#complain(error as Error);
        await sleep(this.#deps.clock, error instanceof GoneError ? 0 : backoff, signal).catch(
          () => undefined,
        );
        backoff = error instanceof GoneError ? BACKOFF_MIN_MS : Math.min(2 * backoff, BACKOFF_MAX_MS);
      }
    }
  }

  #complain(error: Error): void {
    this.#deps.metrics.refreshFailures.inc({ mechanism: 'kubernetes' });
    this.#deps.log.warn('objects of Kubernetes were not read; those known stay', {
      url: this.#query.url,
      error: error.message,
    });
  }

  async #list(signal: AbortSignal): Promise<void> {
    const found = new Map<string, T>();
    let next = '';
    for (;;) {
      const list = await this.#page(next, signal);
      for (const object of list.items ?? []) found.set(keyOf(object), object as T);
      if (found.size > OBJECTS_MAX) throw new VeronaError('limit', `more than ${OBJECTS_MAX} objects`);
      next = list.metadata?.continue ?? '';
      if (next !== '') continue;
      this.#objects = found;
      this.#version = list.metadata?.resourceVersion ?? '';
      this.isSynced = true;
      return;
    }
  }

  #page(next: string, signal: AbortSignal): Promise<List> {
    const parameters = { limit: String(PAGE_LIMIT), ...(next !== '' && { continue: next }) };
    return this.#ask(parameters, LIST_TIMEOUT_MS, signal, async (response) => {
      const bytes = await response.bytes(PAGE_BYTES_MAX);
      if (bytes === undefined)
        throw new VeronaError('too_large', `a list of more than ${PAGE_BYTES_MAX} bytes`);
      checkStatus(response.status, bytes.toString('utf8', 0, 300));
      return JSON.parse(bytes.toString('utf8')) as List;
    });
  }

  async #watch(signal: AbortSignal, changed: () => void): Promise<void> {
    const parameters = {
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version,
      timeoutSeconds: String(WATCH_SECONDS),
    };
    await this.#ask(parameters, WATCH_TIMEOUT_MS, signal, async (response) => {
      checkStatus(response.status, '');
      for await (const line of lines(response.body))
        if (this.#apply(JSON.parse(line) as WatchEvent)) changed();
    });
  }

  /** Whether the objects changed. */
  #apply({ type, object }: WatchEvent): boolean {
    if (object === undefined) return false;
    if (type === 'ERROR') {
      if (object.code === 410) throw new GoneError();
      throw new VeronaError('unavailable', `watch: ${object.message ?? 'unknown error'}`);
    }
    this.#version = object.metadata?.resourceVersion ?? this.#version;
    if (type === 'DELETED') return this.#objects.delete(keyOf(object));
    if (type !== 'ADDED' && type !== 'MODIFIED') return false;
    if (this.#objects.size < OBJECTS_MAX) this.#objects.set(keyOf(object), object as T);
    return true;
  }

  async #ask<R>(
    parameters: Readonly<Record<string, string>>,
    timeoutMs: number,
    signal: AbortSignal,
    read: (response: WebResponse) => Promise<R>,
  ): Promise<R> {
    const { client, clock, userAgent } = this.#deps;
    const { url, labelSelector, fieldSelector } = this.#query;
    const query = new URLSearchParams({
      ...parameters,
      ...(labelSelector !== '' && { labelSelector }),
      ...(fieldSelector !== '' && { fieldSelector }),
    });
    const timeout = new AbortController();
    const cancel = clock.after(timeoutMs, () =>
      timeout.abort(new VeronaError('timeout', `no answer within ${timeoutMs} ms`)),
    );
    try {
      const response = await client.request({
        method: 'GET',
        url: `${url}?${query}`,
        headers: { accept: 'application/json', 'user-agent': userAgent },
        signal: AbortSignal.any([signal, timeout.signal]),
      });
      return await read(response);
    } finally {
      cancel();
    }
  }
}

function checkStatus(status: number, text: string): void {
  if (status === 410) throw new GoneError();
  if (status !== 200)
    throw new VeronaError('unavailable', `the API server answered status ${status} ${text}`.trimEnd());
}

/** Lines of a stream of UTF-8. Throws when one does not end in time. */
async function* lines(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const part of stream) {
    rest = Buffer.concat([rest, part]);
    if (rest.length > EVENT_BYTES_MAX)
      throw new VeronaError('too_large', `an event of more than ${EVENT_BYTES_MAX} bytes`);
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      const line = rest.toString('utf8', 0, end).trim();
      rest = rest.subarray(end + 1);
      if (line !== '') yield line;
    }
  }
}
