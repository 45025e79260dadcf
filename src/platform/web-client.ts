import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type SecureVersion } from 'node:tls';

/** How a client shows itself and whom it trusts; PEM texts. Absent authorities are those of the system. */
export interface WebTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly insecureSkipVerify?: boolean;
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
}

export interface WebClientOptions {
  readonly tls?: WebTls;
  readonly followRedirects: boolean;
  /** Of http or https targets, asked by `http`; its host gets what is meant for others. */
  readonly proxyUrl?: string;
  /** Connections at once to one host. */
  readonly connectionsMax: number;
}

export interface WebRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal: AbortSignal;
}

export interface WebResponse {
  readonly status: number;
  readonly statusText: string;
  /** The empty string when absent. */
  header(name: string): string;
  /** The whole body as sent; undefined when it is longer than `max` bytes, the rest of which is not read. */
  bytes(max: number): Promise<Buffer | undefined>;
  /** The body as it comes. Whoever stops reading ends the connection. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Asks web servers again and again, over connections that are kept. Errors before an answer are the system's. */
export interface WebClient {
  request(request: WebRequest): Promise<WebResponse>;
  /** Ends idle connections; requests under way go on. */
  close(): void;
}

/** Makes clients; the simulator and tests have their own. */
export type OpenWebClient = (options: WebClientOptions) => WebClient;

export const openWebClient: OpenWebClient = (options) => new NodeWebClient(options);

const REDIRECTS_MAX = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

class NodeWebClient implements WebClient {
  readonly #options: WebClientOptions;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor(options: WebClientOptions) {
    this.#options = options;
    const kept = { keepAlive: true, maxSockets: options.connectionsMax, maxFreeSockets: 1024 };
    this.#http = new HttpAgent(kept);
    this.#https = new HttpsAgent({ ...kept, ...tlsOptions(options.tls) });
  }

  async request(request: WebRequest): Promise<WebResponse> {
    let { url, headers, method, body } = request;
    for (let redirects = 0; ; redirects++) {
      const message = await this.#send({ ...request, url, headers, method, body });
      const { location } = message.headers;
      const status = message.statusCode ?? 0;
      if (!this.#options.followRedirects || !REDIRECTS.has(status) || location === undefined)
        return new NodeWebResponse(message);
      message.resume();
      if (redirects === REDIRECTS_MAX) throw new Error(`stopped after ${REDIRECTS_MAX} redirects`);
      const next = new URL(location, url);
      // Credentials are for the host they were given for.
      if (next.host !== new URL(url).host) headers = withoutCredentials(headers);
      if (status < 307) {
        method = 'GET';
        body = undefined;
      }
      url = next.href;
    }
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  async #send(request: WebRequest): Promise<IncomingMessage> {
    const url = new URL(request.url);
    try {
      return await this.#sendOnce(url, request);
    } catch (error) {
      // A server may close a kept connection just when it is used again.
      if (!(error instanceof ReusedSocketError)) throw error;
      return this.#sendOnce(url, request);
    }
  }

  async #sendOnce(url: URL, { method, headers, body, signal }: WebRequest): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const { proxyUrl } = this.#options;
    const isTls = url.protocol === 'https:';
    if (proxyUrl !== undefined && !isTls) {
      const proxy = new URL(proxyUrl);
      const through = { ...address(proxy), method, path: url.href, agent: this.#http, signal };
      return answerOf(httpRequest({ ...through, headers: { host: url.host, ...headers } }), body);
    }
    const options = { ...address(url), method, path: url.pathname + url.search, headers, signal };
    if (!isTls) return answerOf(httpRequest({ ...options, agent: this.#http }), body);
    if (proxyUrl === undefined) return answerOf(httpsRequest({ ...options, agent: this.#https }), body);
    const socket = await tunnel(new URL(proxyUrl), url, signal);
    const tls = { ...tlsOptions(this.#options.tls), socket };
    const createConnection = () => connectTls({ servername: url.hostname, ...tls });
    return answerOf(httpsRequest({ ...options, agent: false, createConnection }), body);
  }
}

class ReusedSocketError extends Error {}

function answerOf(request: ClientRequest, body: WebRequest['body']): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isStale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(isStale ? new ReusedSocketError(error.message, { cause: error }) : error);
    });
    request.end(body);
  });
}

class NodeWebResponse implements WebResponse {
  readonly #message: IncomingMessage;

  constructor(message: IncomingMessage) {
    this.#message = message;
  }

  get status(): number {
    return this.#message.statusCode ?? 0;
  }

  get statusText(): string {
    return this.#message.statusMessage ?? '';
  }

  header(name: string): string {
    const value = this.#message.headers[name.toLowerCase()];
    return (Array.isArray(value) ? value[0] : value) ?? '';
  }

  get body(): AsyncIterable<Uint8Array> {
    return this.#message;
  }

  bytes(max: number): Promise<Buffer | undefined> {
    const message = this.#message;
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      let length = 0;
      message.on('data', (part: Buffer) => {
        length += part.length;
        parts.push(part);
        if (length <= max) return;
        resolve(undefined);
        message.destroy();
      });
      message.on('end', () => resolve(parts.length === 1 ? parts[0] : Buffer.concat(parts, length)));
      message.on('error', reject);
      message.on('close', () => reject(new Error('the connection ended before the body')));
    });
  }
}

function address({ hostname, port, protocol }: URL): { host: string; port: number } {
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return { host, port: Number(port) || (protocol === 'https:' ? 443 : 80) };
}

/** A connection to the host of `url` through a proxy. */
function tunnel(proxy: URL, url: URL, signal: AbortSignal): Promise<Socket> {
  const { host, port } = address(url);
  const path = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...address(proxy), method: 'CONNECT', path, signal });
    request.on('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the proxy refused to connect: status ${response.statusCode}`));
    });
    request.on('error', reject);
    request.end();
  });
}

function tlsOptions(tls: WebTls = {}): ConnectionOptions {
  return {
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    ...(tls.serverName !== undefined && { servername: tls.serverName }),
    ...(tls.minVersion !== undefined && { minVersion: tls.minVersion }),
    ...(tls.maxVersion !== undefined && { maxVersion: tls.maxVersion }),
    rejectUnauthorized: tls.insecureSkipVerify !== true,
  };
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'),
  );
}
