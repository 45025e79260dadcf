import { Labels } from '../../../../model/labels.ts';
import type { KubeContainer, KubeObject, KubePod, KubeView } from './objects.ts';

export const META = '__meta_kubernetes_';

type Pairs = Record<string, string>;

/** Prometheus' name of a label for any name: what is no letter, digit or underscore becomes one. */
function sanitize(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_');
}

/** Name, labels and annotations of an object of a role, as Prometheus names them. */
export function objectLabels({ metadata = {} }: KubeObject, role: string): Pairs {
  const pairs: Pairs = { [`${META}${role}_name`]: metadata.name ?? '' };
  for (const [name, value] of Object.entries(metadata.labels ?? {})) {
    pairs[`${META}${role}_label_${sanitize(name)}`] = value;
    pairs[`${META}${role}_labelpresent_${sanitize(name)}`] = 'true';
  }
  for (const [name, value] of Object.entries(metadata.annotations ?? {})) {
    pairs[`${META}${role}_annotation_${sanitize(name)}`] = value;
    pairs[`${META}${role}_annotationpresent_${sanitize(name)}`] = 'true';
  }
  return pairs;
}

/** The namespace of an object, with its labels and annotations when they are attached. */
export function namespaceLabels({ metadata }: KubeObject, view: KubeView): Pairs {
  const name = metadata?.namespace ?? '';
  const namespace = view.namespaces.get(`/${name}`);
  const attached = namespace === undefined ? {} : objectLabels(namespace, 'namespace');
  delete attached[`${META}namespace_name`];
  return { ...attached, [`${META}namespace`]: name };
}

/** Name, labels and annotations of a node when they are attached. */
export function attachedNodeLabels(name: string | undefined, view: KubeView): Pairs {
  const node = name === undefined ? undefined : view.nodes.get(`/${name}`);
  return node === undefined ? {} : objectLabels(node, 'node');
}

export function podLabels(pod: KubePod): Pairs {
  const { metadata, spec, status } = pod;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown';
  const controller = metadata?.ownerReferences?.find((owner) => owner.controller === true);
  return {
    ...objectLabels(pod, 'pod'),
    [`${META}pod_ip`]: status?.podIP ?? '',
    [`${META}pod_ready`]: ready.toLowerCase(),
    [`${META}pod_phase`]: status?.phase ?? '',
    [`${META}pod_node_name`]: spec?.nodeName ?? '',
    [`${META}pod_host_ip`]: status?.hostIP ?? '',
    [`${META}pod_uid`]: metadata?.uid ?? '',
    [`${META}pod_controller_kind`]: controller?.kind ?? '',
    [`${META}pod_controller_name`]: controller?.name ?? '',
  };
}

export interface ContainerPort {
  readonly container: KubeContainer;
  readonly isInit: boolean;
  readonly port: NonNullable<KubeContainer['ports']>[number] | undefined;
}

/** The ports of all containers of a pod; a container without ports is there once. */
export function containerPorts({ spec }: KubePod): ContainerPort[] {
  const all = [
    ...(spec?.containers ?? []).map((container) => ({ container, isInit: false })),
    ...(spec?.initContainers ?? []).map((container) => ({ container, isInit: true })),
  ];
  return all.flatMap(({ container, isInit }): ContainerPort[] => {
    const ports = container.ports ?? [];
    return ports.length === 0
      ? [{ container, isInit, port: undefined }]
      : ports.map((port) => ({ container, isInit, port }));
  });
}

export function containerLabels(pod: KubePod, { container, isInit, port }: ContainerPort): Pairs {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const status = (isInit ? initContainerStatuses : containerStatuses).find(
    ({ name }) => name === container.name,
  );
  return {
    [`${META}pod_container_name`]: container.name ?? '',
    [`${META}pod_container_id`]: status?.containerID ?? '',
    [`${META}pod_container_image`]: container.image ?? '',
    [`${META}pod_container_init`]: String(isInit),
    ...(port !== undefined && {
      [`${META}pod_container_port_name`]: port.name ?? '',
      [`${META}pod_container_port_number`]: String(port.containerPort ?? ''),
      [`${META}pod_container_port_protocol`]: port.protocol ?? 'TCP',
    }),
  };
}

export function joinHostPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function toLabels(pairs: Pairs): Labels {
  return Labels.from(pairs);
}
