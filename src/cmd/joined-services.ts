import type { Config } from '../config/schema.ts';
import type { Clock } from '../platform/clock.ts';
import type { ReadOptions } from '../query/jobs.ts';
import type { ServiceReader } from '../query/service-reader.ts';
import type { Endpoint, EndpointSet } from '../storeapi/endpoint-set.ts';
import type { StreamingMethod, StreamingService } from '../storeapi/grpc-server.ts';
import { JoinedServices } from '../storeapi/joined-services.ts';
import { remoteStoresOf, storeMatches } from '../storeapi/remote-stores.ts';
import { labelValue } from '../storeapi/replica-labels.ts';
import type { WireRulesResponse, WireTargetsResponse } from '../storeapi/service-messages.ts';
import { matcherSets, mayAsk } from './endpoints.ts';

/** What a request asks of this process and its endpoints: who may be asked, and what a tenant may see of the answers. */
export function joinServices(
  config: Config,
  own: readonly StreamingService[],
  endpoints: EndpointSet | undefined,
  clock: Clock,
): ServiceReader {
  const joined = new JoinedServices(own, endpoints, config.endpoint.response_timeout, clock);
  const { endpoint, grpc, query } = config;
  const label = endpoint.enforce_tenancy ? grpc.tenant_label : '';
  return {
    ask: ({ service, method, tenant, request, read }, signal) => {
      const partial = read.partialResponse ?? query.partial_response;
      const isOwn = ofTenant(label, tenant);
      return joined.ask(
        {
          service,
          method,
          tenant,
          request: { ...request, partial_response_strategy: partial ? 0 : 1 },
          partialResponse: partial ? 'warn' : 'abort',
          asks: mayAsk(config, tenant) && !read.ownOnly ? asksOf(service, read, isOwn) : undefined,
          admit: (message) => (label === '' ? message : (narrowed(message, isOwn) as typeof message)),
        },
        signal,
      );
    },
    replicaLabels: (read) => new Set(read.dedup ? (read.replicaLabels ?? query.replica_label) : []),
  };
}

type LabelTest = (labels: Parameters<typeof labelValue>[0]) => boolean;

function ofTenant(label: string, tenant: string): LabelTest {
  return (labels) => label === '' || labelValue(labels, label) === tenant;
}

/** Metadata and counts carry no labels, so tenants that are kept apart see those of stores that hold nothing else. */
function asksOf(service: string, read: ReadOptions, isOwn: LabelTest) {
  const sets = matcherSets(read);
  return (endpoint: Endpoint) => {
    const holdsOnlyOwn = endpoint.labelSets.every((labels) =>
      isOwn({ labels: [...labels].map(([name, value]) => ({ name, value })) }),
    );
    const isUnlabelled = service === 'metadata' || service === 'status';
    if (isUnlabelled && !(holdsOnlyOwn && (endpoint.labelSets.length > 0 || isOwn(undefined)))) return false;
    const [store] = remoteStoresOf([endpoint]);
    return store ? storeMatches(store, sets) : sets.length === 0;
  };
}

function narrowed(message: WireRulesResponse & WireTargetsResponse, isOwn: LabelTest): object | undefined {
  const { group, targets } = message;
  if (group) {
    const rules = group.rules.filter(({ alert, recording }) => isOwn((alert ?? recording)?.labels));
    return rules.length > 0 ? { group: { ...group, rules } } : undefined;
  }
  if (!targets) return message;
  // A target that was dropped has no labels of its own yet.
  const activeTargets = targets.activeTargets.filter(({ labels }) => isOwn(labels));
  return { targets: { activeTargets, droppedTargets: [] } };
}

/** The same answers over gRPC, for queriers above this one: replicas are theirs to join. */
export function joinedStreams(reader: ServiceReader): StreamingService[] {
  const stream = (service: 'rules' | 'targets' | 'metadata' | 'status', method: string): StreamingService => {
    const handle: StreamingMethod = async function* (tenant, request, signal) {
      const { partial_response_strategy: strategy } = request as { partial_response_strategy: number };
      const read = {
        dedup: false,
        replicaLabels: undefined,
        partialResponse: strategy !== 1,
        storeMatches: [],
      };
      const question = { service, method, tenant, request, read };
      const { messages, warnings } = await reader.ask(question, signal);
      for (const warning of warnings) yield { warning };
      yield* messages;
    };
    return { service, methods: { [method]: handle } };
  };
  return [
    stream('rules', 'Rules'),
    stream('targets', 'Targets'),
    stream('metadata', 'MetricMetadata'),
    stream('status', 'TSDBStatistics'),
  ];
}
