import type { Config } from '../config/schema.ts';
import { VeronaError } from '../model/errors.ts';
import { Labels } from '../model/labels.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { HttpResponse } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { QueryJob, ReadOptions } from '../query/jobs.ts';
import type { Service } from '../server/lifecycle.ts';
import type { Endpoint } from '../storeapi/endpoint-set.ts';
import { GrpcServer, type StreamingService } from '../storeapi/grpc-server.ts';
import { SeriesPlaces } from '../storeapi/series-places.ts';
import { loadServices } from '../storeapi/service-definitions.ts';
import type {
  LabelsAnswer,
  LabelsRequest,
  PartialResponse,
  SeriesRequest,
  StoreInfo,
  StoreServer,
} from '../storeapi/store-server.ts';
import { writeLabelsRequest, writeSeriesRequest } from '../storeapi/wire-requests.ts';
import type { TenantLimits } from '../tenancy/limits.ts';
import { tenantOf } from '../tenancy/tenant-id.ts';
import { needsSecret, openGrpcAccess, toGrpcAccess } from './grpc-access.ts';

/** What Thanos queriers call the tenant of somebody who named none. */
const THANOS_DEFAULT_TENANT = 'default-tenant';
const SHUTDOWN_MS = 10_000;
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '::1']);

export interface TenantStoreOptions {
  /** What every series gets. */
  readonly external: Labels;
  /** A label that names the tenant of every series; empty for none. */
  readonly tenantLabel: string;
  /** Whether stores that this process asks are a part of what it serves. */
  readonly joinsEndpoints: boolean;
  /** What is here for these tenants, or for all. */
  readonly info: (tenants: readonly string[] | undefined) => StoreInfo;
  readonly run: (tenant: string, job: QueryJob, signal: AbortSignal) => Promise<HttpResponse>;
}

/** What this process serves, as a store: each tenant's series under the external labels and the tenant's. */
export class TenantStore implements StoreServer {
  readonly #options: TenantStoreOptions;

  constructor(options: TenantStoreOptions) {
    this.#options = options;
  }

  async info(_tenant: string, tenants: readonly string[] | undefined): Promise<StoreInfo> {
    return this.#options.info(tenants);
  }

  async *series(tenant: string, request: SeriesRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const external = this.labelsOf(tenant).flat;
    const job: QueryJob = {
      kind: 'storeSeries',
      request: writeSeriesRequest(request),
      external,
      read: this.#read(request.partialResponse),
    };
    const { body } = await this.#options.run(tenant, job, signal);
    yield* body as AsyncIterable<Uint8Array>;
  }

  async labelNames(tenant: string, request: LabelsRequest, signal: AbortSignal): Promise<LabelsAnswer> {
    return this.#labelsJob(
      tenant,
      { kind: 'storeLabelNames', ...this.#labelsRequest(tenant, request) },
      signal,
    );
  }

  async labelValues(
    tenant: string,
    name: string,
    request: LabelsRequest,
    signal: AbortSignal,
  ): Promise<LabelsAnswer> {
    return this.#labelsJob(
      tenant,
      { kind: 'storeLabelValues', name, ...this.#labelsRequest(tenant, request) },
      signal,
    );
  }

  async #labelsJob(tenant: string, job: QueryJob, signal: AbortSignal): Promise<LabelsAnswer> {
    const { body } = await this.#options.run(tenant, job, signal);
    return JSON.parse(Buffer.from(body as Uint8Array).toString()) as LabelsAnswer;
  }

  #labelsRequest(tenant: string, request: LabelsRequest) {
    return {
      request: writeLabelsRequest(request),
      external: this.labelsOf(tenant).flat,
      read: this.#read(request.partialResponse),
    };
  }

  /** Replicas are the asker's matter. */
  #read(partialResponse: PartialResponse): ReadOptions {
    return {
      ownOnly: !this.#options.joinsEndpoints,
      dedup: false,
      replicaLabels: undefined,
      partialResponse: partialResponse === 'warn',
      storeMatches: [],
    };
  }

  /** What the series of a tenant get. */
  labelsOf(tenant: string): Labels {
    const { external, tenantLabel } = this.#options;
    return tenantLabel === '' ? external : external.with({ [tenantLabel]: tenant });
  }
}

/** Everything that this process keeps for some tenants, of whatever age. Thanos calls such a component a receiver. */
export function keptInfo(external: Labels, tenantLabel: string, tenants: readonly string[]): StoreInfo {
  const labelSets =
    tenantLabel === '' ? [external] : tenants.map((tenant) => external.with({ [tenantLabel]: tenant }));
  return {
    component: 'receive',
    labelSets: labelSets.filter((labels) => labels.size > 0),
    mint: 0,
    maxt: Number.MAX_SAFE_INTEGER,
  };
}

/** The tenants that a caller may know of. */
export function allowedOf(
  known: readonly string[],
  allowed: readonly string[] | undefined,
): readonly string[] {
  return allowed === undefined ? known : known.filter((tenant) => allowed.includes(tenant));
}

const LABEL_SETS_MAX = 1000;

/**
 * What a querier can reach: the stores it asks, and the blocks of a bucket (`blockLabels`, one for each; undefined without a
 * bucket). Where some have no labels, or nobody knows them yet, there is no set but `external`, which every series has.
 */
export function reachedInfo(
  endpoints: readonly Endpoint[],
  external: Labels,
  blockLabels: readonly Labels[] | undefined,
): StoreInfo {
  const stores = endpoints.filter(
    ({ services, strict, component }) => services.has('store') || (strict && component === ''),
  );
  const sets = new Map<string, Labels>();
  let isKnown = true;
  const add = (labels: Labels) => {
    if (labels.size === 0) isKnown = false;
    sets.set(labels.key(), labels.with(external.toJSON()));
  };
  for (const { labelSets } of stores)
    for (const labels of labelSets.length > 0 ? labelSets : NOTHING_KNOWN) add(labels);
  for (const labels of blockLabels ?? []) add(labels);
  const all = isKnown && sets.size <= LABEL_SETS_MAX ? [...sets.values()] : [external];
  const hasBucket = blockLabels !== undefined;
  return {
    component: 'query',
    labelSets: all.filter((labels) => labels.size > 0),
    mint: hasBucket ? 0 : Math.min(Number.MAX_SAFE_INTEGER, ...stores.map(({ mint }) => mint)),
    maxt: hasBucket ? Number.MAX_SAFE_INTEGER : Math.max(0, ...stores.map(({ maxt }) => maxt)),
  };
}

const NOTHING_KNOWN: readonly Labels[] = [Labels.empty];

/** The gRPC listener as a service of the process. Throws `bad_data` for TLS and credentials that make no sense. */
export async function grpcService(
  config: Config,
  store: StoreServer,
  further: readonly StreamingService[],
  limits: TenantLimits,
  isReady: () => boolean,
  deps: { readonly disk: Disk; readonly clock: Clock; readonly log: Logger; readonly metrics: Metrics },
): Promise<Service> {
  const { grpc, tenant } = config;
  const at = grpc.listen_address.lastIndexOf(':');
  const host = grpc.listen_address.slice(0, at).replace(/^\[|\]$/g, '');
  const access = await openGrpcAccess(config, deps.disk, deps.clock, deps.log);
  const server = new GrpcServer(
    {
      host: host === '' ? '0.0.0.0' : host,
      port: Number(grpc.listen_address.slice(at + 1)),
      access: toGrpcAccess(access.current),
      tenantOf: (metadata, fallback = tenant.default) => {
        const named = metadata['thanos-tenant'] === THANOS_DEFAULT_TENANT;
        return tenantOf(named ? { ...metadata, 'thanos-tenant': undefined } : metadata, fallback);
      },
      isReady,
      messageBytesMax: grpc.max_message_size,
      streamsMax: grpc.max_streams,
    },
    loadServices(),
    new SeriesPlaces(store, (tenant) => limits.of(tenant).maxConcurrentStoreRequests),
    further,
    deps.clock,
    deps.log,
    deps.metrics,
  );
  access.onChange((current) => server.replaceAccess(toGrpcAccess(current)));
  return {
    name: 'grpc',
    start: async () => {
      if (!needsSecret(access.current) && !LOOPBACK.has(host)) warnOpen(host, deps.log);
      await server.listen();
      server.setServing(true);
      await access.start();
    },
    stop: async () => {
      await access.stop();
      await server.close(SHUTDOWN_MS);
    },
  };
}

function warnOpen(host: string, log: Logger): void {
  log.warn(
    'gRPC listens beyond loopback without a token or client certificates: everybody who can connect can read every tenant',
    {
      host: host === '' ? '0.0.0.0' : host,
      settings: 'grpc.config_file, grpc.bearer_token_file, grpc.tls_client_ca_file',
    },
  );
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
