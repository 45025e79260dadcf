import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server } from 'node:https';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Counter, Histogram, Metrics } from '../platform/metrics.ts';
import { releaseBytes } from '../platform/release-bytes.ts';
import type { Tracer } from '../platform/trace.ts';
import { Access, type AccessRules, type Principal } from './access.ts';
import { BodyBudget } from './body-budget.ts';
import { answerDirectly, DirectRequest, forgetBody, hangUpController, readBody } from './direct-route.ts';
import { DirectRoutes, type FoundRoute } from './direct-routes.ts';
import { errorResponse } from './error-response.ts';
import { refuseForeignOrigin } from './foreign-origin.ts';
import { healthRoutes } from './health-routes.ts';
import { compressed, mayCompress, send } from './send-answer.ts';
import { guardClients, replaceContext, serverOptions, type TlsSettings } from './tls.ts';

/** How the listener is reached and by whom. */
export interface ListenerAccess {
  readonly tls: TlsSettings | undefined;
  readonly rules: AccessRules;
  /** Sent with every answer. */
  readonly headers: Readonly<Record<string, string>>;
}

/** No TLS, no credentials. */
export const OPEN_ACCESS: ListenerAccess = {
  tls: undefined,
  rules: { users: [], tokens: [], openPaths: [] },
  headers: {},
};

export interface HttpServerOptions {
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
  /** Anchored pattern test for the Origin header; undefined answers no cross-origin request. */
  readonly allowsOrigin: ((origin: string) => boolean) | undefined;
  readonly requestTimeoutMs: number;
  readonly connectionsMax: number;
  /** Of the bodies of all requests under way together. */
  readonly bodyBytesMax: number;
  /** Names the tenant of a request, `fallback` when its headers name none, or throws `bad_data`. */
  readonly tenantOf: (
    headers: Readonly<Record<string, string | undefined>>,
    fallback: string | undefined,
  ) => string;
  readonly access: ListenerAccess;
  readonly tracer: Tracer;
  /** Until then every route answers 503, but for health, readiness, metrics and how far the start is. */
  readonly isReady: () => boolean;
}

type Exchange = [incoming: IncomingMessage, outgoing: ServerResponse];

const ALWAYS = new Set(['/-/healthy', '/-/ready', '/ready', '/metrics', '/api/v1/status/walreplay']);

const METHODS = ['GET', 'POST', 'PUT'] as const;

const CORS_HEADERS = {
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin, X-Scope-OrgID, THANOS-TENANT',
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-expose-headers': 'Date',
  vary: 'Origin',
};

const KEEP_ALIVE_MS = 75_000;
const DURATION_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The HTTP listener: routes, tenant at the edge, cancellation, compression, cross-origin headers, errors to status codes. */
export class HttpServer {
  readonly #app: FastifyInstance;
  readonly #options: HttpServerOptions;
  readonly #log: Logger;
  readonly #seconds: Histogram<'method' | 'route' | 'status_code'>;
  readonly #direct = new DirectRoutes();
  readonly #bodies: BodyBudget;
  /** Bodies of requests that go through the router. */
  readonly #held = new WeakMap<IncomingMessage, readonly Uint8Array[]>();
  /** Requests that were answered or whose client is gone. */
  readonly #gone = new WeakSet<IncomingMessage>();
  /** Requests whose body was refused before its end. */
  readonly #unread = new WeakSet<IncomingMessage>();
  /** Who asks, when not everybody may. */
  readonly #principals = new WeakMap<IncomingMessage, Principal>();
  readonly #unauthorized: Counter;
  #access: Access;
  #headers: ListenerAccess['headers'];
  #closing = false;

  constructor(options: HttpServerOptions, routes: readonly Route[], log: Logger, metrics: Metrics) {
    this.#options = options;
    this.#log = log;
    this.#access = new Access(options.access.rules);
    this.#headers = options.access.headers;
    this.#bodies = new BodyBudget(options.bodyBytesMax, metrics);
    this.#unauthorized = metrics.counter(
      'verona_http_unauthorized_total',
      'Requests refused for missing or wrong credentials.',
    );
    this.#app = fastify({
      logger: false,
      routerOptions: { ignoreTrailingSlash: true, maxParamLength: 4096 },
      forceCloseConnections: false,
      serverFactory: (routed) => this.#createServer((...exchange) => this.#serve(exchange, routed)),
    });
    this.#app.server.maxConnections = options.connectionsMax;
    this.#app.removeAllContentTypeParsers();
    this.#app.addContentTypeParser('*', (request: FastifyRequest, incoming: IncomingMessage) =>
      this.#read(request, incoming),
    );
    this.#seconds = metrics.histogram(
      'verona_http_request_duration_seconds',
      'Time from the whole request to the answer.',
      DURATION_BUCKETS,
      ['method', 'route', 'status_code'],
    );
    this.#app.addHook('onSend', async (request, reply) => {
      reply.headers(this.#commonHeaders(request.headers.origin));
      if (this.#unread.has(request.raw)) reply.header('connection', 'close');
    });
    this.#app.addHook('onRequest', async (request, reply) => {
      reply.raw.once('close', () => this.#forget(request.raw));
    });
    this.#app.addHook('onResponse', async (request, reply) => {
      const route = request.routeOptions.url ?? 'unknown';
      this.#observe(request.method, route, reply.statusCode, reply.elapsedTime);
    });
    this.#app.setErrorHandler(async (error, _request, reply) => send(reply, errorResponse(error)));
    this.#app.setNotFoundHandler(async (request, reply) =>
      send(reply, this.#notFound(request.method, request.url.split('?')[0])),
    );
    for (const route of [...healthRoutes(options.isReady), ...routes]) this.#mount(route);
    this.#app.options('/*', async (_request, reply) => reply.code(204).send());
  }

  #notFound(method: string, path: string): HttpResponse {
    const allowed = METHODS.filter(
      (other) => other !== method && this.#app.findRoute({ method: other, url: path }) !== null,
    );
    if (allowed.length === 0) return { status: 404, body: `nothing is served at ${path}\n` };
    return { status: 405, headers: { allow: allowed.join(', ') }, body: 'Method Not Allowed\n' };
  }

  #createServer(serve: (...exchange: Exchange) => void) {
    const { requestTimeoutMs: requestTimeout, access } = this.#options;
    const timeouts = { requestTimeout, keepAliveTimeout: KEEP_ALIVE_MS };
    if (access.tls === undefined) return createServer(timeouts, serve);
    const server = createSecureServer({ ...timeouts, ...serverOptions(access.tls) }, serve);
    guardClients(server, access.tls.clientAuth);
    // It differs in what is below HTTP only.
    return server as unknown as ReturnType<typeof createServer>;
  }

  /** Puts other credentials, headers and certificates in force. */
  replaceAccess({ tls, rules, headers }: ListenerAccess): void {
    this.#access = new Access(rules);
    this.#headers = headers;
    if (tls) replaceContext(this.#app.server as unknown as Server, tls);
  }

  /** Direct routes are mounted too: that is how they are found with a slash at the end. */
  #mount(route: Route): void {
    if (route.isDirect) this.#direct.add(route);
    this.#app.route({
      method: [...route.methods],
      url: route.path,
      config: { bodyMax: Math.max(route.bodyMax, 1) },
      handler: async (incoming, reply) =>
        send(reply, await this.#answer(route, incoming.raw, () => this.#request(incoming, reply))),
    });
  }

  /** Never rejects: what goes wrong is an answer too. */
  async #answer(route: Route, incoming: IncomingMessage, read: () => HttpRequest): Promise<HttpResponse> {
    const headers = incoming.headers as HttpRequest['headers'];
    const span = this.#options.tracer.startRequest(`${incoming.method} ${route.path}`, headers);
    let failure: unknown;
    let response: HttpResponse;
    try {
      if (!this.#options.isReady() && !ALWAYS.has(route.path))
        throw new VeronaError('unavailable', 'Verona is starting or stopping; try again soon');
      if (route.ofAllTenants && this.#principals.get(incoming)?.tenants !== undefined)
        throw new VeronaError('forbidden', `${route.path} needs credentials that are for all tenants`);
      if (route.refusesForeignOrigins) refuseForeignOrigin(headers, this.#options.allowsOrigin);
      response = await route.handle(read());
      if (mayCompress(response)) response = await compressed(response, headers['accept-encoding']);
    } catch (error) {
      failure = error;
      response = errorResponse(error);
      if (response.status >= 500 && response.status !== 503)
        this.#log.error('a request failed', {
          path: route.path,
          error: error instanceof Error ? error.stack : error,
        });
    }
    span.setAttribute('http.response.status_code', response.status);
    span.end(failure);
    return response;
  }

  #request(incoming: FastifyRequest, reply: FastifyReply): HttpRequest {
    const hangUp = hangUpController(reply.raw);
    const headers = incoming.headers as Record<string, string | undefined>;
    const { pathname, searchParams } = new URL(incoming.url, 'http://verona');
    return {
      method: incoming.method,
      path: pathname,
      params: incoming.params as Record<string, string>,
      query: searchParams,
      headers,
      tenant: this.#tenantOf(incoming.raw),
      body: (incoming.body as Uint8Array | undefined) ?? new Uint8Array(0),
      signal: hangUp.signal,
    };
  }

  /** The tenant that a request speaks for; credentials for one tenant name it as well as a header does. */
  #tenantOf(incoming: IncomingMessage): string {
    const allowed = this.#principals.get(incoming)?.tenants;
    const headers = incoming.headers as HttpRequest['headers'];
    const tenant = this.#options.tenantOf(headers, allowed?.length === 1 ? allowed[0] : undefined);
    if (allowed === undefined || allowed.includes(tenant)) return tenant;
    throw new VeronaError('forbidden', `these credentials are not for tenant ${tenant}`);
  }

  #serve(exchange: Exchange, routed: (...exchange: Exchange) => void): void {
    const [{ method }] = exchange;
    // A browser asks what it may do before it shows credentials.
    if (!this.#access.needsCredentials || method === 'OPTIONS') this.#dispatch(exchange, routed);
    else this.#serveKnown(exchange, routed);
  }

  /** Lets in who has credentials; the body of others is not read. */
  async #serveKnown(exchange: Exchange, routed: (...exchange: Exchange) => void): Promise<void> {
    const [incoming, outgoing] = exchange;
    const { challenge } = this.#access;
    const path = (incoming.url ?? '').split('?')[0];
    const principal = await this.#access
      .admit(path, incoming.headers.authorization)
      .catch((error: unknown) => this.#log.error('credentials were not checked', { error: String(error) }));
    if (principal) {
      this.#principals.set(incoming, principal);
      this.#dispatch(exchange, routed);
      return;
    }
    this.#unauthorized.inc();
    const common = this.#commonHeaders(incoming.headers.origin);
    const headers = { ...common, 'www-authenticate': challenge, connection: 'close' };
    answerDirectly(outgoing, { status: 401, headers, body: 'Unauthorized\n' });
  }

  #dispatch([incoming, outgoing]: Exchange, routed: (...exchange: Exchange) => void): void {
    const url = incoming.url ?? '';
    const mark = url.indexOf('?');
    const found = this.#direct.find(incoming.method ?? '', mark < 0 ? url : url.slice(0, mark));
    if (found === undefined) {
      routed(incoming, outgoing);
      return;
    }
    this.#serveDirectly(found, incoming, outgoing).catch((error) => {
      this.#log.error('an answer was not written', { path: found.route.path, error: String(error) });
      outgoing.destroy();
    });
  }

  async #serveDirectly({ route, params }: FoundRoute, ...[incoming, outgoing]: Exchange): Promise<void> {
    const reading = readBody(incoming, route.bodyMax, this.#bodies);
    const parts = reading instanceof Promise ? await reading.catch((error: VeronaError) => error) : reading;
    if (parts === undefined) return;
    const begin = this.#options.clock.monotonic();
    const response = await this.#answer(route, incoming, () => {
      if (parts instanceof VeronaError) throw parts;
      return new DirectRequest(incoming, outgoing, parts, this.#tenantOf(incoming), params);
    });
    const common = this.#commonHeaders(incoming.headers.origin);
    // The rest of a body that was not read would be taken for the next request.
    if (parts instanceof VeronaError) common['connection'] = 'close';
    else if (parts.length > 0) {
      forgetBody(parts, this.#bodies);
      parts.forEach(releaseBytes);
    }
    answerDirectly(outgoing, { ...response, headers: { ...response.headers, ...common } });
    this.#observe(
      incoming.method ?? '',
      route.path,
      response.status,
      this.#options.clock.monotonic() - begin,
    );
  }

  #forget(incoming: IncomingMessage): void {
    this.#gone.add(incoming);
    forgetBody(this.#held.get(incoming) ?? [], this.#bodies);
    this.#held.delete(incoming);
  }

  /** The body of a request that goes through the router. */
  async #read({ routeOptions, raw }: FastifyRequest, incoming: IncomingMessage): Promise<Uint8Array> {
    const { bodyMax = 1 } = routeOptions.config as { bodyMax?: number };
    try {
      const parts = await readBody(incoming, bodyMax, this.#bodies);
      if (parts === undefined) throw new VeronaError('canceled', 'the client hung up');
      this.#held.set(raw, parts);
      if (this.#gone.has(raw)) this.#forget(raw);
      return parts.length === 1 ? parts[0] : Buffer.concat(parts);
    } catch (error) {
      this.#unread.add(raw);
      throw error;
    }
  }

  #observe(method: string, route: string, status: number, ms: number): void {
    this.#seconds.observe({ method, route, status_code: status }, ms / 1000);
  }

  /** Headers of every answer. */
  #commonHeaders(origin: string | undefined): Record<string, string> {
    const close: Record<string, string> = { ...this.#headers };
    if (this.#closing) close['connection'] = 'close';
    if (origin === undefined || !this.#options.allowsOrigin?.(origin)) return close;
    return { ...close, ...CORS_HEADERS, 'access-control-allow-origin': origin };
  }

  /** Starts to listen; resolves with the address in use. Rejects when the port is taken. */
  async listen(): Promise<{ host: string; port: number }> {
    const wanted = { host: this.#options.host, port: this.#options.port };
    await this.#app.listen(wanted).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'EADDRINUSE' ? addressInUse(wanted) : error;
    });
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

function addressInUse({ host, port }: { readonly host: string; readonly port: number }): VeronaError {
  return new VeronaError(
    'unavailable',
    `${host}:${port} is in use by another process; stop that one or choose another address with --http.listen-address`,
  );
}
