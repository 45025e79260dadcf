import {
  Metadata,
  type ServerInterceptor,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { VeronaError } from '../model/errors.ts';
import type { Logger } from '../platform/log.ts';
import type { Counter, Histogram, Metrics } from '../platform/metrics.ts';
import { Admission, type Admit, type Caller } from './grpc-admission.ts';
import { toGrpcError } from './grpc-status.ts';

export interface GrpcCallOptions {
  readonly admit: () => Admit;
  /** Names the tenant of a call by its metadata (lower-case keys), `fallback` when they name none, or throws `bad_data`. */
  readonly tenantOf: (
    metadata: Readonly<Record<string, string | undefined>>,
    fallback: string | undefined,
  ) => string;
  readonly isReady: () => boolean;
}

type UnaryHandler = (
  tenant: string,
  request: unknown,
  signal: AbortSignal,
  caller: Caller,
) => Promise<object>;

type StreamHandler = (tenant: string, request: unknown, signal: AbortSignal) => AsyncIterable<unknown>;

const DURATION_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

interface Call {
  readonly metadata: Metadata;
  readonly request: unknown;
  on(event: 'cancelled', listener: () => void): unknown;
}

/** What every call goes through: credentials and tenant, the end of it when the client hangs up, its time and its error. */
export class GrpcCalls {
  readonly #options: GrpcCallOptions;
  readonly #log: Logger;
  readonly #seconds: Histogram<'method' | 'code'>;
  readonly #sent: Counter<'method'>;
  readonly #admission: Admission;

  constructor(options: GrpcCallOptions, log: Logger, metrics: Metrics) {
    this.#options = options;
    this.#log = log;
    this.#seconds = metrics.histogram(
      'verona_grpc_request_duration_seconds',
      'Time from the call to its end.',
      DURATION_BUCKETS,
      ['method', 'code'],
    );
    this.#sent = metrics.counter('verona_grpc_sent_bytes_total', 'Bytes of series sent.', ['method']);
    const refused = metrics.counter(
      'verona_grpc_unauthorized_total',
      'Calls refused for missing or wrong credentials.',
    );
    this.#admission = new Admission(options.admit, () => refused.inc());
  }

  /** For the server, so that calls are refused before their request is read. */
  get interceptor(): ServerInterceptor {
    return this.#admission.interceptor;
  }

  /** A method with one answer. */
  unary(method: string, handle: UnaryHandler) {
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

  /** A method that answers as many messages as there are, as fast as the client reads them. */
  streaming(method: string, handle: StreamHandler) {
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
