import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { compareStrings } from '../../model/labels.ts';

interface StoredObject {
  readonly data: Buffer;
  readonly updated: string;
}

interface Session {
  readonly name: string;
  data: Buffer;
}

const CHUNK_UNIT = 256 * 1024;

/**
 * The part of Google Cloud Storage's JSON API that the bucket speaks, as its documentation has it: objects with media and
 * ranges, uploads by media and by resumable sessions, generation preconditions, listings with prefixes, offsets and pages.
 * Whatever is not by the book is answered with 400.
 */
export class GcsServer {
  readonly buckets = new Map<string, Map<string, StoredObject>>();
  readonly sessions = new Map<string, Session>();
  /** Entries per page at most, whatever the client asks. */
  pageSizeMax = 1000;
  /** Called before each request; true when it has answered itself. */
  intercept: (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean = () => false;
  readonly #server: Server = createServer((request, response) => this.#receive(request, response));
  #sessionCount = 0;

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces);
      if (this.intercept(request, response, body)) return;
      try {
        this.#route(request, response, body);
      } catch (error) {
        refuse(response, 400, (error as Error).message);
      }
    });
  }

  #route(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const url = new URL(request.url ?? '', 'http://x');
    const match = /^(\/upload)?\/storage\/v1\/b\/([^/]+)\/o(?:\/([^/]+))?$/.exec(url.pathname);
    if (!match) throw new Error(`no such method: ${url.pathname}`);
    const [, upload, bucketName, rawName] = match;
    const bucket = this.buckets.get(decodeURIComponent(bucketName));
    if (!bucket) return refuse(response, 404, 'The specified bucket does not exist.');
    const name = rawName === undefined ? undefined : decodeURIComponent(rawName);
    if (upload) return this.#upload(request, response, url, bucket, body);
    if (name === undefined) return this.#list(response, url.searchParams, bucket);
    const object = bucket.get(name);
    if (!object) return refuse(response, 404, `No such object: ${bucketName}/${name}`);
    if (request.method === 'DELETE') {
      bucket.delete(name);
      response.writeHead(204).end();
    } else if (url.searchParams.get('alt') === 'media') sendMedia(request, response, object.data);
    else reply(response, describe(name, object));
  }

  #upload(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    bucket: Map<string, StoredObject>,
    body: Buffer,
  ): void {
    const { searchParams: query } = url;
    const id = query.get('upload_id');
    if (id !== null) return this.#resume(request, response, bucket, id, body);
    const name = query.get('name') ?? '';
    if (name === '' || Buffer.byteLength(name) > 1024) throw new Error('bad object name');
    const generation = query.get('ifGenerationMatch');
    if (generation === '0' && bucket.has(name))
      return refuse(response, 412, 'At least one of the pre-conditions you specified did not hold.');
    if (query.get('uploadType') === 'media') {
      this.#store(bucket, name, body);
      reply(response, describe(name, bucket.get(name) as StoredObject));
    } else if (query.get('uploadType') === 'resumable') {
      const session = `s${++this.#sessionCount}`;
      this.sessions.set(session, { name, data: Buffer.alloc(0) });
      response.writeHead(200, { location: `http://${request.headers.host}${url.pathname}?uploadType=resumable&upload_id=${session}` });
      response.end();
    } else throw new Error(`uploadType ${query.get('uploadType')}`);
  }

  #resume(
    request: IncomingMessage,
    response: ServerResponse,
    bucket: Map<string, StoredObject>,
    id: string,
    body: Buffer,
  ): void {
    const session = this.sessions.get(id);
    if (!session) return refuse(response, 410, 'upload session is gone');
    if (request.method === 'DELETE') {
      this.sessions.delete(id);
      response.writeHead(499).end();
      return;
    }
    const range = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(request.headers['content-range'] ?? '');
    if (!range) throw new Error(`content-range ${request.headers['content-range']}`);
    const [, first, last, total] = range;
    if (first !== undefined) {
      if (Number(first) !== session.data.length) return refuse(response, 503, 'not where the session is');
      if (Number(last) - Number(first) + 1 !== body.length) throw new Error('content-range and body differ');
      if (total === '*' && body.length % CHUNK_UNIT !== 0) throw new Error('not a multiple of 256 KiB');
      session.data = Buffer.concat([session.data, body]);
    } else if (body.length > 0) throw new Error('a question with a body');
    if (total !== '*' && Number(total) === session.data.length) {
      this.#store(bucket, session.name, session.data);
      this.sessions.delete(id);
      return reply(response, describe(session.name, bucket.get(session.name) as StoredObject));
    }
    const { length } = session.data;
    response.writeHead(308, length > 0 ? { range: `bytes=0-${length - 1}` } : {}).end();
  }

  #list(response: ServerResponse, query: URLSearchParams, bucket: ReadonlyMap<string, StoredObject>): void {
    const prefix = query.get('prefix') ?? '';
    const start = query.get('pageToken') ?? query.get('startOffset') ?? '';
    const isLater = (name: string) => compareStrings(name, start) >= 0;
    const names = new Set<string>();
    for (const name of bucket.keys()) {
      if (!name.startsWith(prefix)) continue;
      const slash = query.get('delimiter') === '/' ? name.indexOf('/', prefix.length) : -1;
      const shown = slash >= 0 ? name.slice(0, slash + 1) : name;
      if (isLater(shown) || isLater(name)) names.add(shown);
    }
    const sorted = [...names].filter((name) => query.get('pageToken') === null || isLater(name)).sort(compareStrings);
    const page = sorted.slice(0, Math.min(this.pageSizeMax, Number(query.get('maxResults') ?? 1000)));
    reply(response, {
      items: page.filter((name) => bucket.has(name)).map((name) => describe(name, bucket.get(name) as StoredObject)),
      prefixes: page.filter((name) => !bucket.has(name)),
      nextPageToken: sorted[page.length],
    });
  }

  #store(bucket: Map<string, StoredObject>, name: string, data: Buffer): void {
    bucket.set(name, { data, updated: new Date().toISOString() });
  }
}

function describe(name: string, { data, updated }: StoredObject) {
  return { kind: 'storage#object', name, size: String(data.length), updated };
}

function sendMedia(request: IncomingMessage, response: ServerResponse, data: Buffer): void {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  if (!range) {
    response.writeHead(200, { 'content-length': data.length }).end(data);
    return;
  }
  const [first, last] = [Number(range[1]), Math.min(Number(range[2]), data.length - 1)];
  if (first >= data.length) return refuse(response, 416, 'The requested range cannot be satisfied.');
  const part = data.subarray(first, last + 1);
  const headers = { 'content-length': part.length, 'content-range': `bytes ${first}-${last}/${data.length}` };
  response.writeHead(206, headers).end(part);
}

function reply(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, code: number, message: string): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { code, message } }));
}
