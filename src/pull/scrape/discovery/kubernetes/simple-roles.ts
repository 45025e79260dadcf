import type { TargetGroup } from '../target-group.ts';
import {
  attachedNodeLabels,
  containerLabels,
  containerPorts,
  joinHostPort,
  META,
  namespaceLabels,
  objectLabels,
  podLabels,
  toLabels,
} from './meta-labels.ts';
import {
  type KubeIngress,
  type KubeNode,
  type KubePod,
  type KubeService,
  type KubeView,
  keyOf,
} from './objects.ts';

/** In the order in which Prometheus prefers them. */
const ADDRESS_TYPES = ['InternalIP', 'InternalDNS', 'ExternalIP', 'ExternalDNS', 'LegacyHostIP', 'Hostname'];

/** The kubelet of a node. */
export function nodeGroup(node: KubeNode): TargetGroup {
  const addresses = node.status?.addresses ?? [];
  const byType = new Map([...addresses].reverse().map(({ type = '', address = '' }) => [type, address]));
  const address = ADDRESS_TYPES.map((type) => byType.get(type)).find((found) => found);
  const name = node.metadata?.name ?? '';
  const types = [...byType].map(([type, value]) => [
    `${META}node_address_${type.replace(/[^a-zA-Z0-9_]/g, '_')}`,
    value,
  ]);
  const target = toLabels({
    __address__: joinHostPort(address ?? '', node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0),
    instance: name,
    ...Object.fromEntries(types),
  });
  return {
    source: `node/${name}`,
    targets: address === undefined ? [] : [target],
    labels: toLabels({
      ...objectLabels(node, 'node'),
      ...conditionLabels(node),
      [`${META}node_provider_id`]: node.spec?.providerID ?? '',
    }),
  };
}

function conditionLabels({ status }: KubeNode): Record<string, string> {
  const pairs = (status?.conditions ?? []).map(({ type = '', status: value = '' }) => [
    `${META}node_condition_${type.toLowerCase().replace(/[^a-zA-Z0-9_]/g, '_')}`,
    value.toLowerCase(),
  ]);
  return Object.fromEntries(pairs);
}

/** A target per port of a service. */
export function serviceGroup(service: KubeService, view: KubeView): TargetGroup {
  const { metadata, spec } = service;
  const host = `${metadata?.name}.${metadata?.namespace}.svc`;
  const type = spec?.type ?? 'ClusterIP';
  const targets = (spec?.ports ?? []).map((port) =>
    toLabels({
      __address__: joinHostPort(host, port.port ?? 0),
      [`${META}service_port_name`]: port.name ?? '',
      [`${META}service_port_number`]: String(port.port ?? ''),
      [`${META}service_port_protocol`]: port.protocol ?? 'TCP',
      [`${META}service_type`]: type,
      [`${META}service_external_name`]: type === 'ExternalName' ? (spec?.externalName ?? '') : '',
      [`${META}service_cluster_ip`]: type === 'ExternalName' ? '' : (spec?.clusterIP ?? ''),
      [`${META}service_loadbalancer_ip`]: type === 'LoadBalancer' ? (spec?.loadBalancerIP ?? '') : '',
    }),
  );
  const labels = { ...objectLabels(service, 'service'), ...namespaceLabels(service, view) };
  return { source: `svc/${keyOf(service)}`, targets, labels: toLabels(labels) };
}

/** A target per port of a container, or one without a port. */
export function podGroup(pod: KubePod, view: KubeView, attachesNodes: boolean): TargetGroup {
  const isOnOtherNode = attachesNodes && !view.nodes.has(`/${pod.spec?.nodeName ?? ''}`);
  const ip = pod.status?.podIP ?? '';
  const targets = containerPorts(pod).map((one) =>
    toLabels({
      __address__: one.port === undefined ? ip : joinHostPort(ip, one.port.containerPort ?? 0),
      ...containerLabels(pod, one),
    }),
  );
  return {
    source: `pod/${keyOf(pod)}`,
    // A pod without an address is not there yet; one on a node that selectors leave out is not wanted.
    targets: ip === '' || isOnOtherNode ? [] : targets,
    labels: toLabels({
      ...podLabels(pod),
      ...namespaceLabels(pod, view),
      ...attachedNodeLabels(pod.spec?.nodeName, view),
    }),
  };
}

/** A target per path of an ingress. */
export function ingressGroup(ingress: KubeIngress, view: KubeView): TargetGroup {
  const { spec } = ingress;
  const tlsHosts = (spec?.tls ?? []).flatMap(({ hosts = [] }) => hosts);
  const targets = (spec?.rules ?? []).flatMap(({ host = '', http }) => {
    const scheme = tlsHosts.some((pattern) => matchesHost(pattern, host)) ? 'https' : 'http';
    const paths = http?.paths === undefined ? ['/'] : http.paths.map(({ path }) => path || '/');
    return paths.map((path) =>
      toLabels({
        __address__: host,
        [`${META}ingress_scheme`]: scheme,
        [`${META}ingress_host`]: host,
        [`${META}ingress_path`]: path,
      }),
    );
  });
  const labels = {
    ...objectLabels(ingress, 'ingress'),
    ...namespaceLabels(ingress, view),
    [`${META}ingress_class_name`]: spec?.ingressClassName ?? '',
  };
  return { source: `ingress/${keyOf(ingress)}`, targets, labels: toLabels(labels) };
}

/** `*.x` takes one more part in front of `.x`. */
function matchesHost(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  if (!pattern.startsWith('*.')) return false;
  const rest = pattern.slice(1);
  const first = host.slice(0, -rest.length);
  return host.endsWith(rest) && first !== '' && !first.includes('.');
}
