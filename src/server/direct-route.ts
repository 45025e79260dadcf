import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { VeronaError } from '../model/errors.ts';
import { latin1Text } from '../platform/compress-body.ts';
import type { HttpRequest, HttpResponse } from '../platform/http.ts';
import type { BodyBudget } from './body-budget.ts';

const NO_BYTES = new Uint8Array(0);
export const TEXT = 'text/plain; charset=utf-8';

/** A request on a direct route: its body is there in pieces, and what a handler rarely asks for is made when it asks. */
export class DirectRequest implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly params: HttpRequest['params'];
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
    params: HttpRequest['params'],
  ) {
    this.method = incoming.method ?? '';
    const url = incoming.url ?? '';
    const mark = url.indexOf('?');
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.#search = mark < 0 ? '' : url.slice(mark + 1);
    this.headers = incoming.headers as HttpRequest['headers'];
    this.tenant = tenant;
    this.params = params;
    this.bodyParts = bodyParts;
    this.#outgoing = outgoing;
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.#search);
  }

  get body(): Uint8Array {
    if (this.bodyParts.length === 0) return NO_BYTES;
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

const NO_PARTS: readonly Uint8Array[] = [];

/**
 * The whole body in the pieces it comes in; undefined when the client hangs up before its end. Rejects with `too_large`
 * as soon as it is known to have more than `bodyMax` bytes, and as `budget` does. The budget holds its bytes until
 * `forgetBody`.
 */
export function readBody(
  incoming: IncomingMessage,
  bodyMax: number,
  budget: BodyBudget,
): Promise<readonly Uint8Array[] | undefined> | readonly Uint8Array[] {
  return hasBody(incoming) ? readParts(incoming, bodyMax, budget) : NO_PARTS;
}

export function forgetBody(parts: readonly Uint8Array[], budget: BodyBudget): void {
  budget.give(parts.reduce((sum, { length }) => sum + length, 0));
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function readParts(
  incoming: IncomingMessage,
  bodyMax: number,
  budget: BodyBudget,
): Promise<Uint8Array[] | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let left = bodyMax;
    const end = (settle: () => void) => {
      incoming.removeAllListeners('data');
      settle();
    };
    const drop = (settle: () => void) => {
      forgetBody(parts.splice(0), budget);
      end(settle);
    };
    const tooLarge = () =>
      drop(() => reject(new VeronaError('too_large', `the request body has more than ${bodyMax} bytes`)));
    if (Number(incoming.headers['content-length'] ?? 0) > bodyMax) {
      tooLarge();
      return;
    }
    let isWhole = false;
    incoming.on('data', (part: Uint8Array) => {
      left -= part.length;
      if (left < 0) return tooLarge();
      try {
        budget.take(part.length);
        parts.push(part);
      } catch (error) {
        drop(() => reject(error));
      }
    });
    incoming.once('end', () => {
      isWhole = true;
      resolve(parts);
    });
    const gone = () => {
      if (!isWhole) drop(() => resolve(undefined));
    };
    incoming.once('error', gone);
    incoming.once('close', gone);
  });
}

/** A body up to this goes out in one piece with the head: two pieces take a slower call of the system. */
const ONE_PIECE_MAX = 16 * 1024;

/** Writes an answer; nothing when the client is gone. A stream that fails cuts the connection. */
export function answerDirectly(outgoing: ServerResponse, response: HttpResponse): void {
  const { status, headers, body } = response;
  if (outgoing.destroyed) return;
  if (body === undefined) {
    outgoing.writeHead(status, headers && { ...headers });
    outgoing.end();
    return;
  }
  const head = flatHeaders(headers);
  if (!(typeof body === 'string' || body instanceof Uint8Array)) {
    outgoing.writeHead(status, head);
    pipeline(Readable.from(body, { objectMode: false }), outgoing, () => {});
    return;
  }
  const isText = typeof body === 'string' && !response.isLatin1;
  head.push('content-length', `${isText ? Buffer.byteLength(body) : body.length}`);
  outgoing.writeHead(status, head);
  if (typeof body === 'string') outgoing.end(body, isText ? 'utf8' : 'latin1');
  else if (body.length <= ONE_PIECE_MAX) outgoing.end(latin1Text(body), 'latin1');
  else outgoing.end(body);
}

/** Name, value, name, value …: written as they are, while an object of them is looked at name by name. */
function flatHeaders(headers: HttpResponse['headers']): string[] {
  const flat: string[] = [];
  let hasType = false;
  for (const name in headers) {
    flat.push(name, headers[name]);
    if (name === 'content-type') hasType = true;
  }
  if (!hasType) flat.push('content-type', TEXT);
  return flat;
}
