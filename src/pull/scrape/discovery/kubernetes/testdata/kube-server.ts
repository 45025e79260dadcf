import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeObject } from '../objects.ts';

interface Change {
  readonly version: number;
  readonly plural: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
}

interface Watch {
  readonly plural: string;
  readonly namespace: string | undefined;
  readonly response: ServerResponse;
}

/**
 * A Kubernetes API server as far as lists and watches go: versions, pages, bookmarks, changes since a version, and 410 for
 * versions that were compacted away.
 */
export class KubeServer {
  readonly #server: Server;
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #changes: Change[] = [];
  readonly #watches = new Set<Watch>();
  #version = 1;
  #compacted = 0;
  readonly requests: string[] = [];
  pageSize = 2;
  token = 'a secret';

  constructor() {
    this.#server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://x');
      this.requests.push(`${url.pathname}${url.search}`);
      if (request.headers.authorization !== `Bearer ${this.token}`) return end(response, 401, { code: 401 });
      const match = /^\/apis?\/(?:[^/]+\/)?v1(?:\/namespaces\/([^/]+))?\/([a-z]+)$/.exec(url.pathname);
      if (match === null) return end(response, 404, { code: 404 });
      const [, namespace, plural] = match;
      if (url.searchParams.get('watch') === '1') this.#watch(plural, namespace, url.searchParams, response);
      else this.#list(plural, namespace, url.searchParams, response);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  put(plural: string, object: KubeObject): void {
    const all = this.#objects.get(plural) ?? new Map<string, KubeObject>();
    this.#objects.set(plural, all);
    const key = keyOf(object);
    this.#change(plural, all.has(key) ? 'MODIFIED' : 'ADDED', object, (stored) => all.set(key, stored));
  }

  remove(plural: string, key: string): void {
    const all = this.#objects.get(plural);
    const object = all?.get(key);
    if (all && object) this.#change(plural, 'DELETED', object, () => all.delete(key));
  }

  /** Forgets all changes until now, and ends watches: whoever goes on from an older version gets 410. */
  compact(): void {
    this.#compacted = this.#version;
    for (const { response } of this.#watches) response.end();
    this.#watches.clear();
  }

  #change(plural: string, type: Change['type'], object: KubeObject, apply: (stored: KubeObject) => void): void {
    const version = ++this.#version;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    apply(stored);
    const change = { version, plural, type, object: stored };
    this.#changes.push(change);
    for (const watch of this.#watches) send(watch, change);
  }

  #list(plural: string, namespace: string | undefined, query: URLSearchParams, response: ServerResponse): void {
    const all = [...(this.#objects.get(plural)?.values() ?? [])].filter(
      ({ metadata }) => namespace === undefined || metadata?.namespace === namespace,
    );
    const from = Number(query.get('continue') ?? 0);
    const size = Math.min(this.pageSize, Number(query.get('limit') ?? 1e9));
    const rest = from + size < all.length ? { continue: String(from + size) } : {};
    const metadata = { resourceVersion: String(this.#version), ...rest };
    end(response, 200, { metadata, items: all.slice(from, from + size) });
  }

  #watch(plural: string, namespace: string | undefined, query: URLSearchParams, response: ServerResponse): void {
    const since = Number(query.get('resourceVersion'));
    response.writeHead(200, { 'content-type': 'application/json' });
    if (since < this.#compacted) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: { code: 410, message: 'too old' } })}\n`);
      return;
    }
    const watch = { plural, namespace, response };
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(since) } } })}\n`);
    for (const change of this.#changes) if (change.version > since) send(watch, change);
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
  }
}

function send({ plural, namespace, response }: Watch, { type, object, plural: of }: Change): void {
  if (of !== plural || (namespace !== undefined && object.metadata?.namespace !== namespace)) return;
  const line = `${JSON.stringify({ type, object })}\n`;
  // In two parts, as a network may have it.
  response.write(line.slice(0, 10));
  response.write(line.slice(10));
}

function end(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`;
}
