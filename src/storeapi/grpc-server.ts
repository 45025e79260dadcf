import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Counter, Histogram, Metrics } from '../platform/metrics.ts';
import { Admission, type Admit, type Caller } from './grpc-admission.ts';
import { ReplaceableCredentials, type TlsServerOptions } from './grpc-credentials.ts';
import { toGrpcError } from './grpc-status.ts';
import type { WireLabelNamesRequest, WireLabelValuesRequest, WireSeriesRequest } from './messages.ts';
import { type FurtherService, INFO_FIELDS, type Services } from './service-definitions.ts';
import type { StoreServer } from './store-server.ts';
import { readLabelsRequest, readSeriesRequest, writeLabelSet } from './wire-requests.ts';

export interface GrpcServerOptions {
  readonly host: string;
  readonly port: number;
  readonly access: GrpcAccess;
  /** Names the tenant of a call by its metadata (lower-case keys), `fallback` when they name none, or throws `bad_data`. */
  readonly tenantOf: (
    metadata: Readonly<Record<string, string | undefined>>,
    fallback: string | undefined,
  ) => string;
  readonly isReady: () => boolean;
  readonly messageBytesMax: number;
  readonly streamsMax: number;
}

/** How the listener is reached and by whom. */
export interface GrpcAccess {
  readonly tls: TlsServerOptions | undefined;
  readonly admit: Admit;
}

/** Further services, each a stream of messages as `messages.ts` has them, by service and method. */
export interface StreamingService {
  readonly service: FurtherService;
  readonly methods: Readonly<Record<string, StreamingMethod>>;
}

export type StreamingMethod = (tenant: string, request: never, signal: AbortSignal) => AsyncIterable<object>;

const DURATION_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

interface Call {
  readonly metadata: Metadata;
  readonly request: unknown;
  on(event: 'cancelled', listener: () => void): unknown;
}

/** The gRPC listener: Store, Info and whatever else is given, health and reflection; tenant and credentials at the edge. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #seconds: Histogram<'method' | 'code'>;
  readonly #sent: Counter<'method'>;
  readonly #admission: Admission;
  readonly #credentials: ReplaceableCredentials | undefined;
  #admit: Admit;
  readonly #health = new HealthImplementation({ '': 'NOT_SERVING' });

  constructor(
    options: GrpcServerOptions,
    services: Services,
    store: StoreServer,
    further: readonly StreamingService[],
    clock: Clock,
    log: Logger,
    metrics: Metrics,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#seconds = metrics.histogram(
      'verona_grpc_request_duration_seconds',
      'Time from the call to its end.',
      DURATION_BUCKETS,
      ['method', 'code'],
    );
    this.#sent = metrics.counter('verona_grpc_sent_bytes_total', 'Bytes of series sent.', ['method']);
    const { tls, admit } = options.access;
    this.#admit = admit;
    this.#credentials = tls && new ReplaceableCredentials(tls);
    const refused = metrics.counter(
      'verona_grpc_unauthorized_total',
      'Calls refused for missing or wrong credentials.',
    );
    this.#admission = new Admission(
      () => this.#admit,
      () => refused.inc(),
    );
    this.#server = new Server({
      interceptors: [this.#admission.interceptor],
      'grpc.max_receive_message_length': options.messageBytesMax,
      'grpc.max_send_message_length': -1,
      'grpc.max_concurrent_streams': options.streamsMax,
      'grpc.keepalive_time_ms': 60_000,
    });
    this.#server.addService(services.store, this.#storeService(store));
    this.#server.addService(services.info, this.#infoService(store, further));
    for (const { service, methods } of further)
      this.#server.addService(services[service], this.#streamingService(service, methods));
    this.#health.addToServer(this.#server);
    new ReflectionService(services.definitions).addToServer(this.#server);
  }

  /** Resolves with the port in use. Rejects when it is taken. */
  listen(): Promise<number> {
    const { host, port } = this.#options;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(
        address,
        this.#credentials ?? ServerCredentials.createInsecure(),
        (error, bound) => {
          if (error)
            reject(new VeronaError('unavailable', `gRPC cannot listen on ${address}: ${error.message}`));
          else resolve(bound);
        },
      );
    });
  }

  /** Puts other credentials and certificates in force; TLS is turned on or off, and client certificates asked for, at a start only. */
  replaceAccess({ tls, admit }: GrpcAccess): void {
    this.#admit = admit;
    if (tls) this.#credentials?.replace(tls);
  }

  /** What health checks are told. */
  setServing(serving: boolean): void {
    this.#health.setStatus('', serving ? 'SERVING' : 'NOT_SERVING');
  }

  /** Takes no new calls and resolves when those under way ended, or after `timeoutMs` cuts them. */
  async close(timeoutMs: number): Promise<void> {
    this.setServing(false);
    const ended = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const stopTimer = this.#clock.after(timeoutMs, () => this.#server.forceShutdown());
    await ended;
    stopTimer();
  }

  #storeService(store: StoreServer): UntypedServiceImplementation {
    return {
      Series: this.#streaming('Series', (tenant, request, signal) =>
        store.series(tenant, readSeriesRequest(request as WireSeriesRequest), signal),
      ),
      LabelNames: this.#unary('LabelNames', async (tenant, request, signal) => {
        const asked = readLabelsRequest(request as WireLabelNamesRequest);
        const { values, warnings } = await store.labelNames(tenant, asked, signal);
        return { names: values, warnings };
      }),
      LabelValues: this.#unary('LabelValues', (tenant, request, signal) => {
        const wire = request as WireLabelValuesRequest;
        return store.labelValues(tenant, wire.label, readLabelsRequest(wire), signal);
      }),
    };
  }

  #infoService(store: StoreServer, further: readonly StreamingService[]): UntypedServiceImplementation {
    return {
      Info: this.#unary('Info', async (tenant, _request, _signal, { tenants }) => {
        const { component, labelSets, mint, maxt } = await store.info(tenant, tenants);
        const served = Object.fromEntries(
          further.map(({ service }) => [
            INFO_FIELDS[service],
            service === 'exemplars' ? { min_time: mint, max_time: maxt } : {},
          ]),
        );
        return {
          label_sets: labelSets.map(writeLabelSet),
          ComponentType: component,
          store: {
            min_time: mint,
            max_time: maxt,
            supports_sharding: true,
            supports_without_replica_labels: true,
            tsdb_infos: labelSets.map((labels) => ({
              labels: writeLabelSet(labels),
              min_time: mint,
              max_time: maxt,
            })),
          },
          ...served,
        };
      }),
    };
  }

  #streamingService(
    service: string,
    methods: Readonly<Record<string, StreamingMethod>>,
  ): UntypedServiceImplementation {
    return Object.fromEntries(
      Object.entries(methods).map(([method, handle]) => [
        method,
        this.#streaming(`${service}.${method}`, (tenant, request, signal) =>
          handle(tenant, request as never, signal),
        ),
      ]),
    );
  }

  #unary(
    method: string,
    handle: (tenant: string, request: unknown, signal: AbortSignal, caller: Caller) => Promise<object>,
  ) {
    return (call: ServerUnaryCall<unknown, object>, callback: sendUnaryData<object>) => {
      const end = this.#begin(method);
      this.#admitted(call, (tenant, signal, caller) => handle(tenant, call.request, signal, caller)).then(
        (response) => {
          end('OK');
          callback(null, response);
        },
        (error: unknown) => callback(this.#failure(method, error, end)),
      );
    };
  }

  #streaming(
    method: string,
    handle: (tenant: string, request: unknown, signal: AbortSignal) => AsyncIterable<unknown>,
  ) {
    return (call: ServerWritableStream<unknown, unknown>) => {
      const end = this.#begin(method);
      this.#admitted(call, async (tenant, signal) => {
        for await (const message of handle(tenant, call.request, signal)) {
          if (message instanceof Uint8Array) this.#sent.inc({ method }, message.length);
          if (!call.write(message)) await drained(call, signal);
          if (signal.aborted) return;
        }
      }).then(
        () => {
          end('OK');
          call.end();
        },
        (error: unknown) => call.emit('error', this.#failure(method, error, end)),
      );
    };
  }

  async #admitted<T>(
    call: Call,
    run: (tenant: string, signal: AbortSignal, caller: Caller) => Promise<T>,
  ): Promise<T> {
    const caller = this.#admission.caller(call.metadata);
    if (!this.#options.isReady())
      throw new VeronaError('unavailable', 'Verona is starting or stopping; try again soon');
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort(new VeronaError('canceled', 'the client canceled the call')));
    return run(this.#tenantOf(call.metadata, caller), gone.signal, caller);
  }

  /** The tenant that a call speaks for; credentials for one tenant name it as well as metadata do. */
  #tenantOf(metadata: Metadata, { tenants }: Caller): string {
    const fallback = tenants?.length === 1 ? tenants[0] : undefined;
    const tenant = this.#options.tenantOf(plainMetadata(metadata), fallback);
    if (tenants === undefined || tenants.includes(tenant)) return tenant;
    throw new VeronaError('forbidden', `these credentials are not for tenant ${tenant}`);
  }

  #begin(method: string): (code: string) => void {
    const stop = this.#seconds.startTimer({ method });
    return (code) => void stop({ code });
  }

  #failure(method: string, error: unknown, end: (code: string) => void) {
    const code = error instanceof VeronaError ? error.code : 'internal';
    end(code);
    if (code === 'internal')
      this.#log.error('a gRPC call failed', { method, error: error instanceof Error ? error.stack : error });
    return { ...toGrpcError(error), metadata: new Metadata() };
  }
}

function plainMetadata(metadata: Metadata): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(metadata.getMap()).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : undefined,
    ]),
  );
}

function drained(call: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      call.off('close', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    if (signal.aborted) return resolve();
    call.on('drain', done);
    call.on('close', done);
    signal.addEventListener('abort', done);
  });
}
