import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { VeronaError } from '../model/errors.ts';
import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Tracer } from '../platform/trace.ts';
import { errorResponse } from './error-response.ts';

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  /** Anchored pattern test for the Origin header; undefined answers no cross-origin request. */
  readonly allowsOrigin: ((origin: string) => boolean) | undefined;
  readonly requestTimeoutMs: number;
  readonly connectionsMax: number;
  /** Names the tenant of a request or throws `bad_data`. */
  readonly tenantOf: (headers: Readonly<Record<string, string | undefined>>) => string;
  readonly tracer: Tracer;
  /** Until then every route answers 503, but for `/-/healthy`, `/-/ready` and `/metrics`. */
  readonly isReady: () => boolean;
}

const ALWAYS = new Set(['/-/healthy', '/-/ready', '/ready', '/metrics']);

const COMPRESS_FROM_BYTES = 1024;
const compressGzip = promisify(gzip);
const compressZstd = promisify(zstdCompress);
const DURATION_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The HTTP listener: routes, tenant at the edge, cancellation, compression, cross-origin headers, errors to status codes. */
export class HttpServer {
  readonly #app: FastifyInstance;
  readonly #options: HttpServerOptions;
  #closing = false;

  constructor(options: HttpServerOptions, routes: readonly Route[], log: Logger, metrics: Metrics) {
    this.#options = options;
    this.#app = fastify({
      logger: false,
      requestTimeout: options.requestTimeoutMs,
      connectionTimeout: 0,
      keepAliveTimeout: 75_000,
      routerOptions: { ignoreTrailingSlash: true, maxParamLength: 4096 },
      forceCloseConnections: false,
    });
    this.#app.server.maxConnections = options.connectionsMax;
    this.#app.removeAllContentTypeParsers();
    this.#app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    const seconds = metrics.histogram(
      'verona_http_request_duration_seconds',
      'Time from the whole request to the answer.',
      DURATION_BUCKETS,
      ['method', 'route', 'status_code'],
    );
    this.#app.addHook('onSend', async (request, reply) => {
      if (this.#closing) reply.header('connection', 'close');
      this.#allowOrigin(request, reply);
    });
    this.#app.addHook('onResponse', async (request, reply) => {
      const route = request.routeOptions.url ?? 'unknown';
      seconds.observe(
        { method: request.method, route, status_code: reply.statusCode },
        reply.elapsedTime / 1000,
      );
    });
    this.#app.setErrorHandler(async (error, _request, reply) => send(reply, errorResponse(error)));
    this.#app.setNotFoundHandler(async (request, reply) =>
      send(reply, { status: 404, body: `nothing is served at ${request.url.split('?')[0]}\n` }),
    );
    for (const route of [...healthRoutes(options.isReady), ...routes]) this.#mount(route, log);
    this.#app.options('/*', async (_request, reply) => reply.code(204).send());
  }

  #mount(route: Route, log: Logger): void {
    this.#app.route({
      method: [...route.methods],
      url: route.path,
      bodyLimit: Math.max(route.bodyMax, 1),
      handler: async (incoming, reply) => {
        const span = this.#options.tracer.startRequest(
          `${incoming.method} ${route.path}`,
          incoming.headers as Record<string, string | undefined>,
        );
        let failure: unknown;
        try {
          if (!this.#options.isReady() && !ALWAYS.has(route.path))
            throw new VeronaError('unavailable', 'Verona is starting or stopping; try again soon');
          const response = await route.handle(this.#request(incoming, reply));
          return await send(reply, await compressed(response, incoming.headers['accept-encoding']));
        } catch (error) {
          failure = error;
          const response = errorResponse(error);
          if (response.status >= 500 && response.status !== 503)
            log.error('a request failed', {
              path: route.path,
              error: error instanceof Error ? error.stack : error,
            });
          return send(reply, response);
        } finally {
          span.setAttribute('http.response.status_code', reply.statusCode);
          span.end(failure);
        }
      },
    });
  }

  #request(incoming: FastifyRequest, reply: FastifyReply): HttpRequest {
    const hangUp = new AbortController();
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) hangUp.abort(new Error('the client hung up'));
    });
    const headers = incoming.headers as Record<string, string | undefined>;
    const { pathname, searchParams } = new URL(incoming.url, 'http://verona');
    return {
      method: incoming.method,
      path: pathname,
      params: incoming.params as Record<string, string>,
      query: searchParams,
      headers,
      tenant: this.#options.tenantOf(headers),
      body: (incoming.body as Uint8Array | undefined) ?? new Uint8Array(0),
      signal: hangUp.signal,
    };
  }

  #allowOrigin(request: FastifyRequest, reply: FastifyReply): void {
    const { origin } = request.headers;
    if (origin === undefined || !this.#options.allowsOrigin?.(origin)) return;
    reply.header('access-control-allow-origin', origin);
    reply.header(
      'access-control-allow-headers',
      'Accept, Authorization, Content-Type, Origin, X-Scope-OrgID, THANOS-TENANT',
    );
    reply.header('access-control-allow-methods', 'GET, POST, OPTIONS');
    reply.header('access-control-expose-headers', 'Date');
    reply.header('vary', 'Origin');
  }

  /** Starts to listen; resolves with the address in use. Rejects when the port is taken. */
  async listen(): Promise<{ host: string; port: number }> {
    await this.#app.listen({ host: this.#options.host, port: this.#options.port });
    const address = this.#app.server.address();
    const port = typeof address === 'object' && address ? address.port : this.#options.port;
    return { host: this.#options.host, port };
  }

  /** Takes no new connections and resolves when requests under way are answered, or after `timeoutMs` cuts them. */
  async close(timeoutMs: number): Promise<void> {
    this.#closing = true;
    this.#app.server.closeIdleConnections();
    const cut = setTimeout(() => this.#app.server.closeAllConnections(), timeoutMs);
    await this.#app.close();
    clearTimeout(cut);
  }
}

function healthRoutes(isReady: () => boolean): Route[] {
  const get = (path: string, handle: Route['handle']): Route => ({
    path,
    methods: ['GET'],
    bodyMax: 0,
    handle,
  });
  const ready = () =>
    isReady()
      ? { status: 200, body: 'Verona is ready.\n' }
      : { status: 503, body: 'Verona is starting or stopping.\n' };
  return [
    get('/-/healthy', () => ({ status: 200, body: 'Verona is healthy.\n' })),
    get('/-/ready', ready),
    get('/ready', ready),
  ];
}

async function send(reply: FastifyReply, response: HttpResponse): Promise<FastifyReply> {
  reply.code(response.status);
  for (const [name, value] of Object.entries(response.headers ?? {})) reply.header(name, value);
  const { body } = response;
  if (body === undefined) return reply.send();
  if (typeof body === 'string') {
    if (!response.headers?.['content-type']) reply.header('content-type', 'text/plain; charset=utf-8');
    return reply.send(body);
  }
  if (body instanceof Uint8Array)
    return reply.send(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  return reply.send(Readable.from(body, { objectMode: false }));
}

async function compressed(response: HttpResponse, accepted: string | undefined): Promise<HttpResponse> {
  const { body } = response;
  if (!accepted || body === undefined || response.headers?.['content-encoding']) return response;
  if (!(typeof body === 'string' || body instanceof Uint8Array) || body.length < COMPRESS_FROM_BYTES)
    return response;
  const encoding = chooseEncoding(accepted);
  if (!encoding) return response;
  const bytes = encoding === 'zstd' ? await compressZstd(body) : await compressGzip(body, { level: 1 });
  const type = response.headers?.['content-type'] ?? 'text/plain; charset=utf-8';
  return {
    ...response,
    headers: {
      ...response.headers,
      'content-type': type,
      'content-encoding': encoding,
      vary: 'Accept-Encoding',
    },
    body: bytes,
  };
}

function chooseEncoding(accepted: string): 'gzip' | 'zstd' | undefined {
  const offers = accepted.split(',').map((offer) => offer.trim().split(/\s*;\s*/));
  const takes = (name: string) => offers.some(([token, q]) => token === name && q !== 'q=0');
  return takes('zstd') ? 'zstd' : takes('gzip') ? 'gzip' : undefined;
}
