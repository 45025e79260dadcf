import {
  type ChannelCredentials,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { fromGrpcError } from './grpc-status.ts';
import type {
  WireInfoResponse,
  WireLabelNamesResponse,
  WireLabelValuesRequest,
  WireLabelValuesResponse,
} from './messages.ts';
import type { FurtherService, Services } from './service-definitions.ts';
import type { LabelsAnswer, LabelsRequest, SeriesRequest, StoreInfo, StoreServer } from './store-server.ts';
import { readLabelSet, writeLabelsRequest, writeSeriesRequest } from './wire-requests.ts';

export interface StoreClientOptions {
  /** `host:port`, or any target that gRPC resolves. */
  readonly address: string;
  /** Asked for with each call: a token is sent with the next one, other TLS texts make a new connection. */
  readonly credentials: () => ClientCredentials;
  /** `gzip` asks for compressed answers. */
  readonly compression: 'none' | 'gzip';
  /** A message beyond it fails its call. */
  readonly messageBytesMax: number;
  /** Calls other than Series end after this time. */
  readonly unaryTimeoutMs: number;
}

/** How a client shows who it is. The same object means the same credentials. */
export interface ClientCredentials {
  readonly tls: TlsClientOptions | undefined;
  /** Sent as `authorization: Bearer …` when not empty. */
  readonly bearerToken: string;
}

/** No TLS, no token. */
export const NO_CREDENTIALS: ClientCredentials = { tls: undefined, bearerToken: '' };

/** PEM texts. Without `ca` the system's authorities count; with `cert` and `key` the client shows who it is. */
export interface TlsClientOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
}

const TENANT_KEY = 'thanos-tenant';
/** Bytes of one answer under way before it is read on; HTTP/2's own 64 KiB would cost a way forth and back each. */
const WINDOW_BYTES = 2 * 1024 * 1024;

/** One endpoint, over one connection that is made when needed and made again when lost. */
export class StoreClient implements StoreServer {
  readonly #options: StoreClientOptions;
  readonly #services: Services;
  readonly #clock: Clock;
  #credentials: ClientCredentials;
  #client: Client;

  constructor(options: StoreClientOptions, services: Services, clock: Clock) {
    this.#options = options;
    this.#services = services;
    this.#clock = clock;
    this.#credentials = options.credentials();
    this.#client = connect(options, this.#credentials.tls);
  }

  get address(): string {
    return this.#options.address;
  }

  /** The whole of what the endpoint says of itself. */
  async describe(tenant: string, signal?: AbortSignal): Promise<WireInfoResponse> {
    return this.#unary<WireInfoResponse>(this.#services.info, 'Info', tenant, {}, signal);
  }

  async info(tenant: string): Promise<StoreInfo> {
    const { label_sets, ComponentType, store } = await this.describe(tenant);
    if (!store) throw new VeronaError('unsupported_media', `${this.address} serves no series`);
    return {
      component: ComponentType,
      labelSets: label_sets.map(readLabelSet),
      mint: store.min_time,
      maxt: store.max_time,
    };
  }

  async *series(tenant: string, request: SeriesRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const call = this.#stream<Uint8Array>(
      this.#services.store,
      'Series',
      tenant,
      writeSeriesRequest(request),
      signal,
    );
    yield* call;
  }

  async labelNames(tenant: string, request: LabelsRequest, signal: AbortSignal): Promise<LabelsAnswer> {
    const { store } = this.#services;
    const wire = writeLabelsRequest(request);
    const answer = await this.#unary<WireLabelNamesResponse>(store, 'LabelNames', tenant, wire, signal);
    return { values: answer.names, warnings: answer.warnings };
  }

  async labelValues(
    tenant: string,
    name: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<LabelsAnswer> {
    const wire: WireLabelValuesRequest = { ...writeLabelsRequest(request), label: name };
    const { store } = this.#services;
    return this.#unary<WireLabelValuesResponse>(store, 'LabelValues', tenant, wire, signal);
  }

  /** Messages of a streaming call, as the loader decodes them. */
  messages<T>(
    service: FurtherService,
    method: string,
    tenant: string,
    request: object,
    signal: AbortSignal,
  ): AsyncGenerator<T> {
    return this.#stream<T>(this.#services[service], method, tenant, request, signal);
  }

  close(): void {
    this.#client.close();
  }

  /** The connection under the credentials of now. Calls under way on an older one go on. */
  #connection(): Client {
    const now = this.#options.credentials();
    if (now.tls !== this.#credentials.tls) {
      this.#client.close();
      this.#client = connect(this.#options, now.tls);
    }
    this.#credentials = now;
    return this.#client;
  }

  #unary<T>(
    service: ServiceDefinition,
    method: string,
    tenant: string,
    request: object,
    signal?: AbortSignal,
  ): Promise<T> {
    const { path, requestSerialize, responseDeserialize } = definition<T>(service, method);
    return new Promise<T>((resolve, reject) => {
      const deadline = this.#clock.now() + this.#options.unaryTimeoutMs;
      const call = this.#connection().makeUnaryRequest<object, T>(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        this.#metadata(tenant),
        { deadline },
        (error, response) => {
          signal?.removeEventListener('abort', cancel);
          if (error) reject(fromGrpcError(this.address, error));
          else resolve(response as T);
        },
      );
      const cancel = () => call.cancel();
      if (signal?.aborted) cancel();
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  async *#stream<T>(
    service: ServiceDefinition,
    method: string,
    tenant: string,
    request: object,
    signal: AbortSignal,
  ): AsyncGenerator<T> {
    signal.throwIfAborted();
    const { path, requestSerialize, responseDeserialize } = definition<T>(service, method);
    const call: ClientReadableStream<T> = this.#connection().makeServerStreamRequest<object, T>(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      this.#metadata(tenant),
    );
    const cancel = () => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    // A call that nobody reads any more still ends with an error, which must find a listener.
    call.on('error', () => {});
    try {
      for await (const message of call) yield message as T;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw fromGrpcError(this.address, error);
    } finally {
      signal.removeEventListener('abort', cancel);
      cancel();
    }
  }

  #metadata(tenant: string): Metadata {
    const metadata = new Metadata();
    metadata.set(TENANT_KEY, tenant);
    const { bearerToken } = this.#credentials;
    if (bearerToken !== '') metadata.set('authorization', `Bearer ${bearerToken}`);
    return metadata;
  }
}

function connect(
  { address, messageBytesMax, compression }: StoreClientOptions,
  tls: TlsClientOptions | undefined,
): Client {
  return new Client(address, credentialsOf(tls), {
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc.keepalive_time_ms': 30_000,
    'grpc-node.flow_control_window': WINDOW_BYTES,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 5_000,
    ...(compression === 'gzip' && { 'grpc.default_compression_algorithm': 2 }),
    ...(tls?.serverName && { 'grpc.ssl_target_name_override': tls.serverName }),
  });
}

function definition<T>(service: ServiceDefinition, method: string): MethodDefinition<object, T> {
  return service[method] as MethodDefinition<object, T>;
}

function credentialsOf(tls: TlsClientOptions | undefined): ChannelCredentials {
  if (!tls) return credentials.createInsecure();
  const pem = (text: string | undefined) => (text === undefined ? null : Buffer.from(text));
  return credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert));
}
