import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { VeronaError } from '../model/errors.ts';
import type { HttpRequest, HttpResponse } from '../platform/http.ts';

export const TEXT = 'text/plain; charset=utf-8';

/** A request on a direct route: its body is there in pieces, and what a handler rarely asks for is made when it asks. */
export class DirectRequest implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly params = {};
  readonly headers: HttpRequest['headers'];
  readonly tenant: string;
  readonly bodyParts: readonly Uint8Array[];
  readonly #outgoing: ServerResponse;
  readonly #search: string;
  #body: Uint8Array | undefined;
  #hangUp: AbortController | undefined;

  constructor(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    bodyParts: readonly Uint8Array[],
    tenant: string,
  ) {
    this.method = incoming.method ?? '';
    const url = incoming.url ?? '';
    const mark = url.indexOf('?');
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.#search = mark < 0 ? '' : url.slice(mark + 1);
    this.headers = incoming.headers as HttpRequest['headers'];
    this.tenant = tenant;
    this.bodyParts = bodyParts;
    this.#outgoing = outgoing;
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.#search);
  }

  get body(): Uint8Array {
    this.#body ??= this.bodyParts.length === 1 ? this.bodyParts[0] : Buffer.concat(this.bodyParts);
    return this.#body;
  }

  get signal(): AbortSignal {
    this.#hangUp ??= hangUpController(this.#outgoing);
    return this.#hangUp.signal;
  }
}

/** Aborts when the client closes its connection before the answer is written. */
export function hangUpController(outgoing: ServerResponse): AbortController {
  const controller = new AbortController();
  const abort = () => controller.abort(new Error('the client hung up'));
  if (outgoing.closed) abort();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) abort();
  });
  return controller;
}

/**
 * The whole body in the pieces it comes in; undefined when the client hangs up before its end. Rejects with `too_large`
 * as soon as it is known to have more than `bodyMax` bytes.
 */
export function readBody(incoming: IncomingMessage, bodyMax: number): Promise<Uint8Array[] | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let left = bodyMax;
    const refuse = () => {
      incoming.removeAllListeners('data');
      reject(new VeronaError('too_large', `the request body has more than ${bodyMax} bytes`));
    };
    if (Number(incoming.headers['content-length'] ?? 0) > bodyMax) {
      refuse();
      return;
    }
    incoming.on('data', (part: Uint8Array) => {
      left -= part.length;
      if (left < 0) refuse();
      else parts.push(part);
    });
    incoming.once('end', () => resolve(parts));
    incoming.once('error', () => resolve(undefined));
    incoming.once('close', () => resolve(undefined));
  });
}

/** Writes an answer; nothing when the client is gone. A stream that fails cuts the connection. */
export function answerDirectly(outgoing: ServerResponse, response: HttpResponse): void {
  const { status, headers, body } = response;
  if (outgoing.destroyed) return;
  if (body === undefined) {
    outgoing.writeHead(status, headers && { ...headers });
    outgoing.end();
    return;
  }
  if (!(typeof body === 'string' || body instanceof Uint8Array)) {
    outgoing.writeHead(status, { 'content-type': TEXT, ...headers });
    pipeline(Readable.from(body, { objectMode: false }), outgoing, () => {});
    return;
  }
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  outgoing.writeHead(status, { 'content-type': TEXT, ...headers, 'content-length': length });
  outgoing.end(body);
}
