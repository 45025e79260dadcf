import type { KubernetesDiscoveryConfig } from '../../../../config/scrape/discovery.ts';
import type { Clock } from '../../../../platform/clock.ts';
import type { Logger } from '../../../../platform/log.ts';
import { ConfiguredClient, type ConfiguredClientDeps } from '../../credentials.ts';
import type { ScrapeMetrics } from '../../scrape-metrics.ts';
import type { Discovery, TargetGroup } from '../target-group.ts';
import { type ClusterAccess, findCluster } from './cluster-access.ts';
import { endpointSliceGroup, endpointsGroup } from './endpoint-roles.ts';
import { ObjectCache } from './object-cache.ts';
import type { KubeNode, KubeObject, KubePod, KubeService, KubeView } from './objects.ts';
import { ingressGroup, nodeGroup, podGroup, serviceGroup } from './simple-roles.ts';

/** Changes are passed on together, this often at most. */
const SETTLE_MS = 5000;
/** A cluster that is not described well is looked for again. */
const RETRY_MS = 30_000;

type Role = KubernetesDiscoveryConfig['role'];

const PATHS: Readonly<Record<Role | 'namespace', { readonly base: string; readonly plural: string }>> = {
  node: { base: '/api/v1', plural: 'nodes' },
  namespace: { base: '/api/v1', plural: 'namespaces' },
  pod: { base: '/api/v1', plural: 'pods' },
  service: { base: '/api/v1', plural: 'services' },
  endpoints: { base: '/api/v1', plural: 'endpoints' },
  endpointslice: { base: '/apis/discovery.k8s.io/v1', plural: 'endpointslices' },
  ingress: { base: '/apis/networking.k8s.io/v1', plural: 'ingresses' },
};

export interface KubernetesDiscoveryDeps extends ConfiguredClientDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ScrapeMetrics;
  readonly userAgent: string;
  /** Of the process: says where the cluster is that it runs in. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

type Caches = Map<Role | 'namespace', ObjectCache<KubeObject>[]>;

/** Targets that are objects of a Kubernetes cluster: lists and watches what its role needs. */
export class KubernetesDiscovery implements Discovery {
  readonly #config: KubernetesDiscoveryConfig;
  readonly #deps: KubernetesDiscoveryDeps;
  readonly #stop = new AbortController();
  #client: ConfiguredClient | undefined;
  #pending: (() => void) | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(config: KubernetesDiscoveryConfig, deps: KubernetesDiscoveryDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  start(found: (groups: readonly TargetGroup[]) => void): void {
    void this.#begin(found);
  }

  stop(): void {
    this.#stop.abort();
    this.#pending?.();
    this.#client?.close();
  }

  async #begin(found: (groups: readonly TargetGroup[]) => void): Promise<void> {
    const { clock, log, metrics, environment, disk } = this.#deps;
    let cluster: ClusterAccess;
    try {
      cluster = await findCluster(this.#config, environment, disk);
    } catch (error) {
      metrics.refreshFailures.inc({ mechanism: 'kubernetes' });
      log.warn('the Kubernetes cluster is not known; it is looked for again', {
        error: (error as Error).message,
      });
      if (!this.#stop.signal.aborted) this.#pending = clock.after(RETRY_MS, () => void this.#begin(found));
      return;
    }
    if (this.#stop.signal.aborted) return;
    this.#client = new ConfiguredClient(cluster.http, this.#deps);
    const caches = this.#cachesOf(cluster, this.#client);
    const tell = () => {
      this.#pending = undefined;
      this.#toldAt = clock.monotonic();
      found(this.#groups(caches));
    };
    const changed = () => {
      const all = [...caches.values()].flat();
      if (this.#pending !== undefined || !all.every(({ isSynced }) => isSynced)) return;
      const wait = this.#toldAt + SETTLE_MS - clock.monotonic();
      if (wait <= 0) tell();
      else this.#pending = clock.after(wait, tell);
    };
    for (const cache of [...caches.values()].flat()) void cache.run(this.#stop.signal, changed);
  }

  #cachesOf(cluster: ClusterAccess, client: ConfiguredClient): Caches {
    const { role, attach_metadata } = this.#config;
    const needed = new Set<Role | 'namespace'>([role]);
    if (role === 'endpoints' || role === 'endpointslice') needed.add('service').add('pod');
    if (this.#attachesNodes && role !== 'service' && role !== 'ingress') needed.add('node');
    if (attach_metadata?.namespace === true && role !== 'node') needed.add('namespace');
    const caches: Caches = new Map();
    for (const resource of needed) {
      const selector = this.#config.selectors.find((one) => one.role === resource);
      const urls = urlsOf(cluster, resource);
      caches.set(
        resource,
        urls.map(
          (url) =>
            new ObjectCache(
              { url, labelSelector: selector?.label ?? '', fieldSelector: selector?.field ?? '' },
              { ...this.#deps, client },
            ),
        ),
      );
    }
    return caches;
  }

  get #attachesNodes(): boolean {
    return this.#config.attach_metadata?.node === true;
  }

  #groups(caches: Caches): TargetGroup[] {
    const all = <T extends KubeObject>(resource: Role | 'namespace') =>
      new Map((caches.get(resource) ?? []).flatMap((cache) => [...(cache as ObjectCache<T>).objects]));
    const view: KubeView = {
      pods: all<KubePod>('pod'),
      services: all<KubeService>('service'),
      nodes: all<KubeNode>('node'),
      namespaces: all('namespace'),
    };
    const make = GROUPS[this.#config.role];
    return [...all(this.#config.role).values()].map((object) => make(object, view, this.#attachesNodes));
  }
}

const GROUPS: Readonly<
  Record<Role, (object: KubeObject, view: KubeView, attachesNodes: boolean) => TargetGroup>
> = {
  node: nodeGroup,
  service: serviceGroup,
  pod: podGroup,
  endpoints: endpointsGroup,
  endpointslice: endpointSliceGroup,
  ingress: ingressGroup,
};

function urlsOf({ server, namespaces }: ClusterAccess, resource: Role | 'namespace'): string[] {
  const { base, plural } = PATHS[resource];
  if (resource === 'node' || resource === 'namespace' || namespaces.length === 0)
    return [`${server}${base}/${plural}`];
  return namespaces.map((name) => `${server}${base}/namespaces/${encodeURIComponent(name)}/${plural}`);
}
