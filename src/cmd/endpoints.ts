import { readFileSync } from 'node:fs';
import { parseEndpoints } from '../config/endpoints.ts';
import type { Config } from '../config/schema.ts';
import { VeronaError } from '../model/errors.ts';
import { Matcher } from '../model/matcher.ts';
import type { Clock } from '../platform/clock.ts';
import { SystemResolver } from '../platform/dns.ts';
import type { HttpResponse, Route } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { QueryJob, ReadOptions } from '../query/jobs.ts';
import { type ConfiguredEndpoint, type Endpoint, EndpointSet } from '../storeapi/endpoint-set.ts';
import { type RemoteRead, remoteStoresOf, storeMatches } from '../storeapi/remote-stores.ts';
import { loadServices } from '../storeapi/service-definitions.ts';
import { mayPushShard } from '../storeapi/shard-queryable.ts';
import { StoreClient, type StoreClientOptions } from '../storeapi/store-client.ts';
import { type CredentialFiles, credentialFilesOf, watchCredentials } from './endpoint-credentials.ts';
import type { RemoteView } from './query-thread.ts';
import type { JoinedView } from './tenant-views.ts';

const EVERYTHING: ReadOptions = {
  dedup: true,
  replicaLabels: undefined,
  partialResponse: undefined,
  storeMatches: [],
};

/** Whether this process has endpoints to ask. */
export function hasEndpoints({ endpoint }: Config): boolean {
  const { address, strict, group, group_strict: groupStrict, sd_config_file: file } = endpoint;
  return [address, strict, group, groupStrict].some((list) => list.length > 0) || file !== '';
}

/** How query threads connect: plain data. */
export interface RemoteSettings {
  readonly client: Omit<StoreClientOptions, 'address' | 'credentials'>;
  readonly credentials: CredentialFiles;
  readonly stallMs: number;
  readonly hedgeMs: number;
  readonly seriesMax: number;
  readonly bytesMax: number;
}

/** How query threads and health checks connect. */
export function remoteOptions(config: Config): RemoteSettings {
  const { endpoint } = config;
  return {
    client: {
      compression: endpoint.compression,
      messageBytesMax: endpoint.max_message_size,
      unaryTimeoutMs: endpoint.check_timeout,
    },
    credentials: credentialFilesOf(config),
    stallMs: endpoint.response_timeout,
    hedgeMs: endpoint.hedge_after,
    seriesMax: endpoint.max_series,
    bytesMax: endpoint.max_bytes,
  };
}

/** The endpoints of this process, kept fresh. Throws `bad_data` when tenants are to be kept apart by a label that has no name. */
export function buildEndpoints(
  config: Config,
  deps: { readonly clock: Clock; readonly log: Logger; readonly metrics: Metrics },
): EndpointSet {
  const { endpoint } = config;
  if (endpoint.enforce_tenancy && config.grpc.tenant_label === '')
    throw new VeronaError(
      'bad_data',
      'endpoint.enforce_tenancy keeps tenants apart by grpc.tenant_label, which is empty',
    );
  const { client, credentials: files } = remoteOptions(config);
  const credentials = watchCredentials(files, deps.clock, deps.log);
  const services = loadServices();
  return new EndpointSet(
    {
      endpoints: async () => configuredEndpoints(config),
      checkIntervalMs: endpoint.check_interval,
      unhealthyTimeoutMs: endpoint.unhealthy_timeout,
    },
    (address) => new StoreClient({ ...client, credentials, address }, services, deps.clock),
    { ...deps, resolver: new SystemResolver() },
  );
}

function configuredEndpoints({ endpoint }: Config): ConfiguredEndpoint[] {
  const { address, strict, group, group_strict: groupStrict, sd_config_file: file } = endpoint;
  return [
    ...address.map((text) => ({ address: text, strict: false, group: false })),
    ...strict.map((text) => ({ address: text, strict: true, group: false })),
    ...group.map((text) => ({ address: text, strict: false, group: true })),
    ...groupStrict.map((text) => ({ address: text, strict: true, group: true })),
    ...(file === '' ? [] : parseEndpoints({ file, text: readFileSync(file, 'utf8') })),
  ];
}

/** Answers without a place for warnings: what they lacked nobody would know. */
const TELL_NO_WARNINGS: ReadonlySet<QueryJob['kind']> = new Set(['federate', 'remoteRead']);

/** What a request of a tenant reads beside its own data. A store that fails also fails answers that can carry no warning. */
export function joinedView(
  config: Config,
  endpoints: EndpointSet | undefined,
  tenant: string,
  job: QueryJob,
): JoinedView {
  const { query } = config;
  const { kind, read = EVERYTHING } = job;
  const partialResponse = read.partialResponse ?? (query.partial_response && !TELL_NO_WARNINGS.has(kind));
  const joined = read.dedup ? (read.replicaLabels ?? query.replica_label) : [];
  return {
    remote:
      endpoints && !read.ownOnly
        ? remoteView(config, endpoints.endpoints, tenant, {
            read: { ...read, partialResponse },
            maxResolutionMs: resolutionOf(job),
            shard: read.shard && mayPushShard(read.shard, joined) ? read.shard : undefined,
          })
        : undefined,
    replicaLabels: joined,
    dedup: query.deduplication,
    warnings: endpoints?.problem === undefined ? [] : [endpoints.problem],
  };
}

/** Whether endpoints are asked for a tenant: they do not keep tenants apart by themselves. */
export function mayAsk({ endpoint, tenant: tenants }: Config, tenant: string): boolean {
  return endpoint.enforce_tenancy || tenant === (endpoint.tenant || tenants.default);
}

/** `storeMatch[]` of a request. */
export function matcherSets({ storeMatches: sets }: ReadOptions): Matcher[][] {
  return sets.map((matchers) => matchers.map(({ type, name, value }) => new Matcher(type, name, value)));
}

/** What stores may send downsampled: where nothing is said, raw data only. */
function resolutionOf(job: QueryJob): number {
  switch (job.kind) {
    case 'instant':
    case 'range':
      return job.resolutionMaxMs ?? job.resolutionBestMs ?? 0;
    case 'storeQuery':
      return job.resolutionMaxMs;
    case 'storeSeries':
      return job.request.max_resolution_window;
    default:
      return 0;
  }
}

function remoteView(
  config: Config,
  endpoints: readonly Endpoint[],
  tenant: string,
  { read, ...how }: { readonly read: ReadOptions } & Pick<RemoteRead, 'maxResolutionMs' | 'shard'>,
): RemoteView | undefined {
  if (!mayAsk(config, tenant)) return undefined;
  const { endpoint, grpc, query } = config;
  const sets = matcherSets(read);
  return {
    stores: remoteStoresOf(endpoints).filter((store) => storeMatches(store, sets)),
    read: {
      partialResponse: read.partialResponse ? 'warn' : 'abort',
      ...how,
      tenantLabel: endpoint.enforce_tenancy ? grpc.tenant_label : '',
    },
    // Of what a store has aggregated nobody can tell whose it was.
    evaluates: query.mode === 'distributed' && !endpoint.enforce_tenancy && !read.shard,
  };
}

/** `GET /api/v1/stores`, as Thanos: stores by component. */
export function storesRoutes(endpoints: EndpointSet | undefined): Route[] {
  const handle = () => stores(endpoints?.endpoints ?? []);
  return ['', '/prometheus'].map((prefix) => ({
    path: `${prefix}/api/v1/stores`,
    methods: ['GET'],
    bodyMax: 0,
    ofAllTenants: true,
    handle,
  }));
}

function stores(endpoints: readonly Endpoint[]): HttpResponse {
  const data: Record<string, object[]> = {};
  for (const { address, component, labelSets, mint, maxt, lastCheckMs, lastError } of endpoints) {
    const list = (data[component || 'unknown'] ??= []);
    list.push({
      name: address,
      lastCheck: new Date(lastCheckMs).toISOString(),
      lastError: lastError === '' ? null : lastError,
      labelSets: labelSets.map((labels) => labels.toJSON()),
      minTime: mint,
      maxTime: maxt,
    });
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ status: 'success', data }),
  };
}
