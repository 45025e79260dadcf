import { Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Admit } from './grpc-admission.ts';
import { type GrpcCallOptions, GrpcCalls } from './grpc-calls.ts';
import { ReplaceableCredentials, type TlsServerOptions } from './grpc-credentials.ts';
import type { WireLabelNamesRequest, WireLabelValuesRequest, WireSeriesRequest } from './messages.ts';
import { type FurtherService, INFO_FIELDS, type Services } from './service-definitions.ts';
import type { StoreServer } from './store-server.ts';
import { readLabelsRequest, readSeriesRequest, writeLabelSet } from './wire-requests.ts';

export interface GrpcServerOptions extends Omit<GrpcCallOptions, 'admit'> {
  readonly host: string;
  readonly port: number;
  readonly access: GrpcAccess;
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

/** The gRPC listener: Store, Info and whatever else is given, health and reflection; tenant and credentials at the edge. */
export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #calls: GrpcCalls;
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
    const { tls, admit } = options.access;
    this.#admit = admit;
    this.#credentials = tls && new ReplaceableCredentials(tls);
    this.#calls = new GrpcCalls({ ...options, admit: () => this.#admit }, log, metrics);
    this.#server = new Server({
      interceptors: [this.#calls.interceptor],
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
      Series: this.#calls.streaming('Series', (tenant, request, signal) =>
        store.series(tenant, readSeriesRequest(request as WireSeriesRequest), signal),
      ),
      LabelNames: this.#calls.unary('LabelNames', async (tenant, request, signal) => {
        const asked = readLabelsRequest(request as WireLabelNamesRequest);
        const { values, warnings } = await store.labelNames(tenant, asked, signal);
        return { names: values, warnings };
      }),
      LabelValues: this.#calls.unary('LabelValues', (tenant, request, signal) => {
        const wire = request as WireLabelValuesRequest;
        return store.labelValues(tenant, wire.label, readLabelsRequest(wire), signal);
      }),
    };
  }

  #infoService(store: StoreServer, further: readonly StreamingService[]): UntypedServiceImplementation {
    return {
      Info: this.#calls.unary('Info', async (tenant, _request, _signal, { tenants }) => {
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
        this.#calls.streaming(`${service}.${method}`, (tenant, request, signal) =>
          handle(tenant, request as never, signal),
        ),
      ]),
    );
  }
}
