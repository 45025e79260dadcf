import type { Labels } from '../../../../model/labels.ts';
import type { TargetGroup } from '../target-group.ts';
import {
  attachedNodeLabels,
  type ContainerPort,
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
  type EndpointAddress,
  type KubeEndpointSlice,
  type KubeEndpoints,
  type KubePod,
  type KubeView,
  keyOf,
  type ObjectReference,
} from './objects.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';

/** Collects the targets of one list of endpoints, and the pods behind them. */
class EndpointTargets {
  readonly targets: Labels[] = [];
  readonly #view: KubeView;
  readonly #namespace: string;
  /** Pods that were seen, with the ports that endpoints cover. */
  readonly #pods = new Map<string, { readonly pod: KubePod; readonly ports: Set<number> }>();

  constructor(view: KubeView, namespace: string) {
    this.#view = view;
    this.#namespace = namespace;
  }

  add(
    labels: Readonly<Record<string, string>>,
    reference: ObjectReference | undefined,
    nodeName: string | undefined,
    port: number | undefined,
  ): void {
    const pod = this.#podOf(reference);
    const node = attachedNodeLabels(
      nodeName ?? (reference?.kind === 'Node' ? reference.name : undefined),
      this.#view,
    );
    if (pod === undefined) {
      this.targets.push(toLabels({ ...labels, ...node }));
      return;
    }
    const key = keyOf(pod);
    const seen = this.#pods.get(key) ?? { pod, ports: new Set<number>() };
    this.#pods.set(key, seen);
    if (port !== undefined) seen.ports.add(port);
    const container = containerPorts(pod).findLast(
      (one) => port !== undefined && one.port?.containerPort === port,
    );
    this.targets.push(
      toLabels({
        ...labels,
        ...node,
        ...podLabels(pod),
        ...(container && coveredLabels(pod, container)),
      }),
    );
  }

  /** Ports of containers that no endpoint covers, of the pods that were seen. */
  addUncovered(): void {
    for (const { pod, ports } of this.#pods.values()) {
      const { podIP = '' } = pod.status ?? {};
      if (podIP === '') continue;
      for (const one of containerPorts(pod)) {
        const number = one.port?.containerPort;
        if (number === undefined || ports.has(number)) continue;
        this.targets.push(
          toLabels({
            __address__: joinHostPort(podIP, number),
            ...coveredLabels(pod, one),
            ...podLabels(pod),
          }),
        );
      }
    }
  }

  #podOf(reference: ObjectReference | undefined): KubePod | undefined {
    if (reference?.kind !== 'Pod') return undefined;
    return this.#view.pods.get(`${reference.namespace ?? this.#namespace}/${reference.name ?? ''}`);
  }
}

/** As Prometheus: behind endpoints a container is without its ID. */
function coveredLabels(pod: KubePod, one: ContainerPort): Record<string, string> {
  return { ...containerLabels(pod, one), [`${META}pod_container_id`]: '' };
}

function serviceLabels(key: string, view: KubeView): Record<string, string> {
  const service = view.services.get(key);
  return service === undefined ? {} : objectLabels(service, 'service');
}

/** A target per address and port, and one per further port of the pods behind them. */
export function endpointsGroup(endpoints: KubeEndpoints, view: KubeView): TargetGroup {
  const collected = new EndpointTargets(view, endpoints.metadata?.namespace ?? '');
  const add = (
    address: EndpointAddress,
    port: { name?: string; port?: number; protocol?: string },
    ready: boolean,
  ) =>
    collected.add(
      {
        __address__: joinHostPort(address.ip ?? '', port.port ?? 0),
        [`${META}endpoint_port_name`]: port.name ?? '',
        [`${META}endpoint_port_protocol`]: port.protocol ?? 'TCP',
        [`${META}endpoint_ready`]: String(ready),
        [`${META}endpoint_address_target_kind`]: address.targetRef?.kind ?? '',
        [`${META}endpoint_address_target_name`]: address.targetRef?.name ?? '',
        [`${META}endpoint_node_name`]: address.nodeName ?? '',
        [`${META}endpoint_hostname`]: address.hostname ?? '',
      },
      address.targetRef,
      address.nodeName,
      port.port,
    );
  for (const { ports = [], addresses = [], notReadyAddresses = [] } of endpoints.subsets ?? [])
    for (const port of ports) {
      for (const address of addresses) add(address, port, true);
      for (const address of notReadyAddresses) add(address, port, false);
    }
  collected.addUncovered();
  const key = keyOf(endpoints);
  const labels = {
    ...objectLabels(endpoints, 'endpoints'),
    ...namespaceLabels(endpoints, view),
    ...serviceLabels(key, view),
  };
  return { source: `endpoints/${key}`, targets: collected.targets, labels: toLabels(labels) };
}

type SliceEndpoint = NonNullable<KubeEndpointSlice['endpoints']>[number];
type SlicePort = NonNullable<KubeEndpointSlice['ports']>[number];

/** The same of a slice of endpoints. */
export function endpointSliceGroup(slice: KubeEndpointSlice, view: KubeView): TargetGroup {
  const namespace = slice.metadata?.namespace ?? '';
  const collected = new EndpointTargets(view, namespace);
  for (const port of slice.ports ?? [])
    for (const endpoint of slice.endpoints ?? [])
      for (const address of endpoint.addresses ?? [])
        collected.add(sliceLabels(address, port, endpoint), endpoint.targetRef, endpoint.nodeName, port.port);
  collected.addUncovered();
  const service = slice.metadata?.labels?.[SERVICE_NAME] ?? '';
  const labels = {
    ...objectLabels(slice, 'endpointslice'),
    ...namespaceLabels(slice, view),
    [`${META}endpointslice_address_type`]: slice.addressType ?? '',
    ...serviceLabels(`${namespace}/${service}`, view),
  };
  return { source: `endpointslice/${keyOf(slice)}`, targets: collected.targets, labels: toLabels(labels) };
}

function sliceLabels(address: string, port: SlicePort, endpoint: SliceEndpoint): Record<string, string> {
  const { conditions = {}, targetRef, deprecatedTopology = {} } = endpoint;
  const topology = Object.entries(deprecatedTopology).flatMap(([name, value]) => {
    const clean = name.replace(/[^a-zA-Z0-9_]/g, '_');
    return [
      [`${META}endpointslice_endpoint_topology_${clean}`, value],
      [`${META}endpointslice_endpoint_topology_present_${clean}`, 'true'],
    ];
  });
  return {
    __address__: port.port === undefined ? address : joinHostPort(address, port.port),
    [`${META}endpointslice_port_name`]: port.name ?? '',
    [`${META}endpointslice_port_protocol`]: port.protocol ?? 'TCP',
    [`${META}endpointslice_port`]: port.port === undefined ? '' : String(port.port),
    [`${META}endpointslice_port_app_protocol`]: port.appProtocol ?? '',
    [`${META}endpointslice_endpoint_conditions_ready`]: textOf(conditions.ready),
    [`${META}endpointslice_endpoint_conditions_serving`]: textOf(conditions.serving),
    [`${META}endpointslice_endpoint_conditions_terminating`]: textOf(conditions.terminating),
    [`${META}endpointslice_endpoint_hostname`]: endpoint.hostname ?? '',
    [`${META}endpointslice_address_target_kind`]: targetRef?.kind ?? '',
    [`${META}endpointslice_address_target_name`]: targetRef?.name ?? '',
    [`${META}endpointslice_endpoint_node_name`]: endpoint.nodeName ?? '',
    [`${META}endpointslice_endpoint_zone`]: endpoint.zone ?? '',
    ...Object.fromEntries(topology),
  };
}

function textOf(condition: boolean | undefined): string {
  return condition === undefined ? '' : String(condition);
}
