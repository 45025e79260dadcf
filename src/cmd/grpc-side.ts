import type { BucketSync } from '../blocks/bucket-sync.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import type { QueryJob } from '../query/jobs.ts';
import type { Service } from '../server/lifecycle.ts';
import type { EndpointSet } from '../storeapi/endpoint-set.ts';
import { withExternalLabels } from '../storeapi/external-messages.ts';
import type { StreamingService } from '../storeapi/grpc-server.ts';
import type { TenantLimits } from '../tenancy/limits.ts';
import { blockLabels } from './bucket-side.ts';
import { allowedOf, externalLabels, grpcService, keptInfo, reachedInfo, TenantStore } from './grpc.ts';
import { joinedStreams, type joinServices } from './joined-services.ts';
import { ownQueries } from './own-queries.ts';
import { ownExemplars } from './own-services.ts';
import type { RunQuery } from './query-side.ts';

/** What is shown over gRPC. */
interface Shown {
  /** Whether samples are kept here; else the process joins what others keep. */
  readonly keeps: boolean;
  readonly tenants: Tenants;
  readonly bucketSync: BucketSync | undefined;
  readonly endpoints: EndpointSet | undefined;
  readonly run: RunQuery;
  /** Rules, targets and metadata of this process. */
  readonly own: readonly StreamingService[];
  /** The same joined with those of the endpoints. */
  readonly services: ReturnType<typeof joinServices>;
}

interface GrpcDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** The gRPC services of a process that keeps samples, or of one that asks others. */
export function buildGrpcSide(
  config: Config,
  { keeps, tenants, bucketSync, endpoints, run, own, services }: Shown,
  limits: TenantLimits,
  isReady: () => boolean,
  deps: GrpcDeps,
): Promise<Service> {
  const external = externalLabels(config.grpc.external_labels);
  const tenantLabel = keeps ? config.grpc.tenant_label : '';
  const knownTenants = () =>
    [...new Set([...tenants.all.keys(), ...(bucketSync?.knownTenants ?? [])])].sort();
  const runForSignal = (tenant: string, job: QueryJob, signal: AbortSignal, timeoutMs?: number) =>
    run(tenant, job, { signal }, timeoutMs);
  const store = new TenantStore({
    external,
    tenantLabel,
    joinsEndpoints: !keeps,
    info: (allowed) =>
      keeps
        ? keptInfo(external, tenantLabel, allowedOf(knownTenants(), allowed))
        : reachedInfo(endpoints?.endpoints ?? [], external, bucketSync && blockLabels(bucketSync)),
    run: runForSignal,
  });
  const asked = {
    external: (tenant: string) => store.labelsOf(tenant),
    joinsEndpoints: !keeps,
    run: runForSignal,
  };
  const queries = ownQueries({
    ...asked,
    replicaLabels: config.query.replica_label,
    clock: deps.clock,
  });
  const labelled = withExternalLabels(keeps ? own : joinedStreams(services), asked.external);
  return grpcService(config, store, [...labelled, ownExemplars(asked), queries], limits, isReady, deps);
}
