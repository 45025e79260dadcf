import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import { VeronaError } from '../model/errors.ts';
import { Labels } from '../model/labels.ts';
import type { Clock } from '../platform/clock.ts';
import type { HttpResponse } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { QueryJob } from '../query/jobs.ts';
import type { Service } from '../server/lifecycle.ts';
import { GrpcServer, type StreamingService } from '../storeapi/grpc-server.ts';
import { loadServices } from '../storeapi/service-definitions.ts';
import type {
  LabelsAnswer,
  LabelsRequest,
  SeriesRequest,
  StoreInfo,
  StoreServer,
} from '../storeapi/store-server.ts';
import { writeLabelsRequest, writeSeriesRequest } from '../storeapi/wire-requests.ts';
import { tenantOf } from '../tenancy/tenant-id.ts';

/** What Thanos queriers call the tenant of somebody who named none. */
const THANOS_DEFAULT_TENANT = 'default-tenant';
const SHUTDOWN_MS = 10_000;
/** Thanos' word for a component that takes pushes and serves them. */
const COMPONENT = 'receive';

export interface TenantStoreDeps {
  readonly run: (tenant: string, job: QueryJob, signal: AbortSignal) => Promise<HttpResponse>;
  readonly tenants: () => readonly string[];
}

/** Everything that this process keeps, of whatever age, as a store: each tenant's series under the external labels and the tenant's. */
export class TenantStore implements StoreServer {
  readonly #external: Labels;
  readonly #tenantLabel: string;
  readonly #deps: TenantStoreDeps;

  constructor(external: Labels, tenantLabel: string, deps: TenantStoreDeps) {
    this.#external = external;
    this.#tenantLabel = tenantLabel;
    this.#deps = deps;
  }

  async info(): Promise<StoreInfo> {
    const labelSets =
      this.#tenantLabel === '' ? [this.#external] : this.#deps.tenants().map((name) => this.#labels(name));
    return {
      component: COMPONENT,
      labelSets: labelSets.filter((labels) => labels.size > 0),
      mint: 0,
      maxt: Number.MAX_SAFE_INTEGER,
    };
  }

  async *series(tenant: string, request: SeriesRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const external = this.#labels(tenant).flat;
    const job: QueryJob = { kind: 'storeSeries', request: writeSeriesRequest(request), external };
    const { body } = await this.#deps.run(tenant, job, signal);
    yield* body as AsyncIterable<Uint8Array>;
  }

  async labelNames(tenant: string, request: LabelsRequest, signal: AbortSignal): Promise<LabelsAnswer> {
    const external = this.#labels(tenant).flat;
    return this.#labelsJob(
      tenant,
      { kind: 'storeLabelNames', request: writeLabelsRequest(request), external },
      signal,
    );
  }

  async labelValues(
    tenant: string,
    name: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<LabelsAnswer> {
    const external = this.#labels(tenant).flat;
    return this.#labelsJob(
      tenant,
      { kind: 'storeLabelValues', name, request: writeLabelsRequest(request), external },
      signal,
    );
  }

  async #labelsJob(tenant: string, job: QueryJob, signal: AbortSignal): Promise<LabelsAnswer> {
    const { body } = await this.#deps.run(tenant, job, signal);
    return JSON.parse(Buffer.from(body as Uint8Array).toString()) as LabelsAnswer;
  }

  #labels(tenant: string): Labels {
    return this.#tenantLabel === '' ? this.#external : this.#external.with({ [this.#tenantLabel]: tenant });
  }
}

/** The gRPC listener as a service of the process. */
export function grpcService(
  config: Config,
  store: StoreServer,
  further: readonly StreamingService[],
  isReady: () => boolean,
  deps: { readonly clock: Clock; readonly log: Logger; readonly metrics: Metrics },
): Service {
  const { grpc, tenant } = config;
  const at = grpc.listen_address.lastIndexOf(':');
  const host = grpc.listen_address.slice(0, at).replace(/^\[|\]$/g, '');
  const server = new GrpcServer(
    {
      host: host === '' ? '0.0.0.0' : host,
      port: Number(grpc.listen_address.slice(at + 1)),
      tls: tlsOf(config),
      authorize: tokenTest(grpc.bearer_token_file),
      tenantOf: (metadata) => {
        const named = metadata['thanos-tenant'] === THANOS_DEFAULT_TENANT;
        return tenantOf(named ? { ...metadata, 'thanos-tenant': undefined } : metadata, tenant.default);
      },
      isReady,
      messageBytesMax: grpc.max_message_size,
      streamsMax: grpc.max_streams,
    },
    loadServices(),
    store,
    further,
    deps.clock,
    deps.log,
    deps.metrics,
  );
  return {
    name: 'grpc',
    start: async () => {
      await server.listen();
      server.setServing(true);
    },
    stop: () => server.close(SHUTDOWN_MS),
  };
}

function tlsOf({ grpc }: Config) {
  if (grpc.tls_cert_file === '' && grpc.tls_key_file === '' && grpc.tls_client_ca_file === '')
    return undefined;
  if (grpc.tls_cert_file === '' || grpc.tls_key_file === '')
    throw new VeronaError(
      'bad_data',
      'grpc.tls_cert_file and grpc.tls_key_file belong together; one is missing',
    );
  return {
    cert: readFileSync(grpc.tls_cert_file, 'utf8'),
    key: readFileSync(grpc.tls_key_file, 'utf8'),
    clientCa: grpc.tls_client_ca_file === '' ? undefined : readFileSync(grpc.tls_client_ca_file, 'utf8'),
  };
}

function tokenTest(file: string): (authorization: string | undefined) => boolean {
  if (file === '') return () => true;
  const token = readFileSync(file, 'utf8').trim();
  if (token === '') throw new VeronaError('bad_data', `grpc.bearer_token_file: ${file} is empty`);
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(`Bearer ${token}`);
  return (authorization) => timingSafeEqual(digest(authorization ?? ''), expected);
}

/** `name=value` texts as labels. Throws `bad_data` naming the text. */
export function externalLabels(texts: readonly string[]): Labels {
  return Labels.from(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1)
        throw new VeronaError('bad_data', `external label ${JSON.stringify(text)}: expected name=value`);
      return [text.slice(0, at), text.slice(at + 1).replace(/^"(.*)"$/, '$1')] as const;
    }),
  );
}
