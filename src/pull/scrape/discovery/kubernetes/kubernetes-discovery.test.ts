import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KubernetesDiscoveryConfig } from '../../../../config/scrape/discovery.ts';
import { loadScrapeFile } from '../../../../config/scrape/scrape-file.ts';
import { SystemClock } from '../../../../platform/clock.ts';
import { silentLogger } from '../../../../platform/log.ts';
import { MemoryDisk } from '../../../../platform/memory-disk.ts';
import { Metrics } from '../../../../platform/metrics.ts';
import { openWebClient } from '../../../../platform/web-client.ts';
import { ScrapeMetrics } from '../../scrape-metrics.ts';
import type { TargetGroup } from '../target-group.ts';
import { KubernetesDiscovery } from './kubernetes-discovery.ts';
import type { KubePod } from './objects.ts';
import { KubeServer } from './testdata/kube-server.ts';

let server: KubeServer;
let url: string;
const running: KubernetesDiscovery[] = [];

beforeEach(async () => {
  server = new KubeServer();
  url = await server.listen();
});

afterEach(() => {
  for (const one of running.splice(0)) one.stop();
  server.close();
});

/** A clock whose waits between two tellings are short. */
class HastyClock extends SystemClock {
  override after(delayMs: number, task: () => void): () => void {
    return super.after(delayMs > 50_000 ? delayMs : delayMs / 100, task);
  }
}

async function configOf(settings: string): Promise<KubernetesDiscoveryConfig> {
  const text = `scrape_configs: [{ job_name: k, kubernetes_sd_configs: [{ ${settings} }] }]`;
  const { jobs } = await loadScrapeFile({ file: 'x.yml', text }, '/', {}, async () => []);
  return jobs[0].kubernetes_sd_configs[0];
}

/** What is found, always the newest. */
async function discover(settings: string, disk = new MemoryDisk(), environment = {}) {
  const config = await configOf(settings);
  const discovery = new KubernetesDiscovery(config, {
    open: openWebClient,
    disk,
    clock: new HastyClock(),
    log: silentLogger,
    metrics: new ScrapeMetrics(new Metrics()),
    userAgent: 'test',
    environment,
  });
  running.push(discovery);
  let newest: readonly TargetGroup[] | undefined;
  discovery.start((groups) => {
    newest = groups;
  });
  return {
    /** Waits until what is found has this many targets. */
    targets: async (count: number): Promise<Record<string, string>[]> => {
      for (let i = 0; i < 400; i++) {
        const found = (newest ?? []).flatMap(({ targets, labels }) =>
          targets.map((target) => ({ ...labels.toJSON(), ...target.toJSON() })),
        );
        if (newest !== undefined && found.length === count) return found;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new Error(`${newest?.length} groups, not ${count} targets`);
    },
  };
}

const API = (role: string, more = '') =>
  `role: ${role}, api_server: '${url}/', bearer_token: a secret${more}`;

function pod(name: string, ip: string, more: Partial<KubePod> = {}): KubePod {
  return {
    metadata: {
      name,
      namespace: 'ns',
      uid: `uid-${name}`,
      labels: { 'app.kubernetes.io/name': 'web' },
      annotations: { 'prometheus.io/scrape': 'true' },
      ownerReferences: [{ kind: 'ReplicaSet', name: 'web-1', controller: true }],
    },
    spec: {
      nodeName: 'n1',
      containers: [
        { name: 'app', image: 'app:1', ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] },
        { name: 'bare', image: 'bare:1' },
      ],
      initContainers: [{ name: 'init', image: 'init:1' }],
    },
    status: {
      podIP: ip,
      hostIP: '10.0.0.1',
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: [{ name: 'app', containerID: 'docker://1' }],
    },
    ...more,
  };
}

const POD_LABELS = {
  __meta_kubernetes_namespace: 'ns',
  __meta_kubernetes_pod_annotation_prometheus_io_scrape: 'true',
  __meta_kubernetes_pod_annotationpresent_prometheus_io_scrape: 'true',
  __meta_kubernetes_pod_controller_kind: 'ReplicaSet',
  __meta_kubernetes_pod_controller_name: 'web-1',
  __meta_kubernetes_pod_host_ip: '10.0.0.1',
  __meta_kubernetes_pod_ip: '10.1.0.1',
  __meta_kubernetes_pod_label_app_kubernetes_io_name: 'web',
  __meta_kubernetes_pod_labelpresent_app_kubernetes_io_name: 'true',
  __meta_kubernetes_pod_name: 'a',
  __meta_kubernetes_pod_node_name: 'n1',
  __meta_kubernetes_pod_phase: 'Running',
  __meta_kubernetes_pod_ready: 'true',
  __meta_kubernetes_pod_uid: 'uid-a',
};

test('pods are targets by port, are followed, and are listed again when the server forgot', async () => {
  server.put('pods', pod('a', '10.1.0.1'));
  const found = await discover(API('pod'));
  const [app, bare, init] = await found.targets(3);
  expect(app).toEqual({
    ...POD_LABELS,
    __address__: '10.1.0.1:8080',
    __meta_kubernetes_pod_container_id: 'docker://1',
    __meta_kubernetes_pod_container_image: 'app:1',
    __meta_kubernetes_pod_container_init: 'false',
    __meta_kubernetes_pod_container_name: 'app',
    __meta_kubernetes_pod_container_port_name: 'http',
    __meta_kubernetes_pod_container_port_number: '8080',
    __meta_kubernetes_pod_container_port_protocol: 'TCP',
  });
  expect([bare.__address__, init.__address__, init.__meta_kubernetes_pod_container_init]).toEqual([
    '10.1.0.1',
    '10.1.0.1',
    'true',
  ]);
  server.put('pods', pod('b', 'fd00::1'));
  expect((await found.targets(6)).map((target) => target.__address__)).toContain('[fd00::1]:8080');
  server.remove('pods', 'ns/a');
  await found.targets(3);
  server.put('nodes', { metadata: { name: 'other' } });
  server.compact();
  for (const name of ['c', 'd', 'e']) server.put('pods', pod(name, '10.1.0.3'));
  await found.targets(12);
  expect(server.requests.filter((path) => path.includes('continue=')).length).toBeGreaterThan(0);
});

test('only the namespaces that are wanted are asked, with selectors', async () => {
  server.put('pods', pod('a', '10.1.0.1'));
  server.put('pods', { ...pod('b', '10.1.0.2'), metadata: { name: 'b', namespace: 'other' } });
  const found = await discover(
    API('pod', ', namespaces: { names: [ns] }, selectors: [{ role: pod, label: "app=web", field: "x=y" }]'),
  );
  await found.targets(3);
  expect(server.requests[0]).toBe(
    '/api/v1/namespaces/ns/pods?limit=500&labelSelector=app%3Dweb&fieldSelector=x%3Dy',
  );
});

test('a node is its kubelet', async () => {
  server.put('nodes', {
    metadata: { name: 'n1', labels: { zone: 'z' } },
    spec: { providerID: 'aws:///i-1' },
    status: {
      addresses: [
        { type: 'Hostname', address: 'host' },
        { type: 'InternalIP', address: '10.0.0.1' },
      ],
      conditions: [{ type: 'Ready', status: 'True' }],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    },
  } as never);
  const found = await discover(API('node'));
  expect(await found.targets(1)).toEqual([
    {
      __address__: '10.0.0.1:10250',
      instance: 'n1',
      __meta_kubernetes_node_address_Hostname: 'host',
      __meta_kubernetes_node_address_InternalIP: '10.0.0.1',
      __meta_kubernetes_node_condition_ready: 'true',
      __meta_kubernetes_node_label_zone: 'z',
      __meta_kubernetes_node_labelpresent_zone: 'true',
      __meta_kubernetes_node_name: 'n1',
      __meta_kubernetes_node_provider_id: 'aws:///i-1',
    },
  ]);
});

const SERVICE = {
  metadata: { name: 'web', namespace: 'ns', labels: { team: 'x' } },
  spec: { type: 'ClusterIP', clusterIP: '10.9.0.1', ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
};

test('a service is a target per port', async () => {
  server.put('services', SERVICE);
  const found = await discover(API('service'));
  expect(await found.targets(1)).toEqual([
    {
      __address__: 'web.ns.svc:80',
      __meta_kubernetes_namespace: 'ns',
      __meta_kubernetes_service_cluster_ip: '10.9.0.1',
      __meta_kubernetes_service_label_team: 'x',
      __meta_kubernetes_service_labelpresent_team: 'true',
      __meta_kubernetes_service_name: 'web',
      __meta_kubernetes_service_port_name: 'http',
      __meta_kubernetes_service_port_number: '80',
      __meta_kubernetes_service_port_protocol: 'TCP',
      __meta_kubernetes_service_type: 'ClusterIP',
    },
  ]);
});

test('endpoints have the labels of their service and pods, and the ports of these that they leave out', async () => {
  const target = pod('a', '10.1.0.1');
  const ports = [
    { name: 'http', containerPort: 8080, protocol: 'TCP' },
    { name: 'extra', containerPort: 9090, protocol: 'TCP' },
  ];
  server.put('pods', {
    ...target,
    spec: { ...target.spec, containers: [{ name: 'app', image: 'app:1', ports }] },
  } as never);
  server.put('services', SERVICE);
  server.put('endpoints', {
    metadata: { name: 'web', namespace: 'ns' },
    subsets: [
      {
        addresses: [
          { ip: '10.1.0.1', nodeName: 'n1', targetRef: { kind: 'Pod', name: 'a', namespace: 'ns' } },
        ],
        notReadyAddresses: [{ ip: '10.1.0.9', hostname: 'h' }],
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      },
    ],
  } as never);
  const found = await discover(API('endpoints'));
  const [covered, unready, uncovered] = await found.targets(3);
  const common = {
    __meta_kubernetes_endpoints_name: 'web',
    __meta_kubernetes_service_name: 'web',
    __meta_kubernetes_service_label_team: 'x',
    __meta_kubernetes_service_labelpresent_team: 'true',
  };
  const container = {
    __meta_kubernetes_pod_container_image: 'app:1',
    __meta_kubernetes_pod_container_init: 'false',
    __meta_kubernetes_pod_container_name: 'app',
    __meta_kubernetes_pod_container_port_protocol: 'TCP',
  };
  expect(covered).toEqual({
    ...POD_LABELS,
    ...common,
    ...container,
    __address__: '10.1.0.1:8080',
    __meta_kubernetes_endpoint_address_target_kind: 'Pod',
    __meta_kubernetes_endpoint_address_target_name: 'a',
    __meta_kubernetes_endpoint_node_name: 'n1',
    __meta_kubernetes_endpoint_port_name: 'http',
    __meta_kubernetes_endpoint_port_protocol: 'TCP',
    __meta_kubernetes_endpoint_ready: 'true',
    __meta_kubernetes_pod_container_port_name: 'http',
    __meta_kubernetes_pod_container_port_number: '8080',
  });
  expect(unready).toEqual({
    ...common,
    __address__: '10.1.0.9:8080',
    __meta_kubernetes_namespace: 'ns',
    __meta_kubernetes_endpoint_hostname: 'h',
    __meta_kubernetes_endpoint_port_name: 'http',
    __meta_kubernetes_endpoint_port_protocol: 'TCP',
    __meta_kubernetes_endpoint_ready: 'false',
  });
  expect(uncovered).toEqual({
    ...POD_LABELS,
    ...common,
    ...container,
    __address__: '10.1.0.1:9090',
    __meta_kubernetes_pod_container_port_name: 'extra',
    __meta_kubernetes_pod_container_port_number: '9090',
  });
});

test('endpoint slices are the same in their words, with labels of nodes and namespaces where wanted', async () => {
  server.put('nodes', { metadata: { name: 'n1', labels: { zone: 'z' } } });
  server.put('namespaces', { metadata: { name: 'ns', labels: { team: 'y' } } });
  server.put('services', SERVICE);
  server.put('endpointslices', {
    metadata: { name: 'web-1', namespace: 'ns', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP', appProtocol: 'http' }],
    endpoints: [
      {
        addresses: ['10.1.0.1'],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: 'n1',
        zone: 'z1',
      },
    ],
  } as never);
  const found = await discover(API('endpointslice', ', attach_metadata: { node: true, namespace: true }'));
  const [target] = await found.targets(1);
  expect(target).toEqual({
    __address__: '10.1.0.1:8080',
    __meta_kubernetes_endpointslice_address_type: 'IPv4',
    __meta_kubernetes_endpointslice_endpoint_conditions_ready: 'true',
    __meta_kubernetes_endpointslice_endpoint_conditions_serving: 'true',
    __meta_kubernetes_endpointslice_endpoint_conditions_terminating: 'false',
    __meta_kubernetes_endpointslice_endpoint_node_name: 'n1',
    __meta_kubernetes_endpointslice_endpoint_zone: 'z1',
    __meta_kubernetes_endpointslice_label_kubernetes_io_service_name: 'web',
    __meta_kubernetes_endpointslice_labelpresent_kubernetes_io_service_name: 'true',
    __meta_kubernetes_endpointslice_name: 'web-1',
    __meta_kubernetes_endpointslice_port: '8080',
    __meta_kubernetes_endpointslice_port_app_protocol: 'http',
    __meta_kubernetes_endpointslice_port_name: 'http',
    __meta_kubernetes_endpointslice_port_protocol: 'TCP',
    __meta_kubernetes_namespace: 'ns',
    __meta_kubernetes_namespace_label_team: 'y',
    __meta_kubernetes_namespace_labelpresent_team: 'true',
    __meta_kubernetes_node_label_zone: 'z',
    __meta_kubernetes_node_labelpresent_zone: 'true',
    __meta_kubernetes_node_name: 'n1',
    __meta_kubernetes_service_label_team: 'x',
    __meta_kubernetes_service_labelpresent_team: 'true',
    __meta_kubernetes_service_name: 'web',
  });
});

test('an ingress is a target per path, over https where it has certificates', async () => {
  server.put('ingresses', {
    metadata: { name: 'in', namespace: 'ns' },
    spec: {
      ingressClassName: 'nginx',
      tls: [{ hosts: ['*.example.com'] }],
      rules: [{ host: 'a.example.com', http: { paths: [{ path: '/x' }, {}] } }, { host: 'b.c.example.com' }],
    },
  } as never);
  const found = await discover(API('ingress'));
  const targets = await found.targets(3);
  expect(
    targets.map((target) => [
      target.__address__,
      target.__meta_kubernetes_ingress_scheme,
      target.__meta_kubernetes_ingress_path,
      target.__meta_kubernetes_ingress_class_name,
    ]),
  ).toEqual([
    ['a.example.com', 'https', '/x', 'nginx'],
    ['a.example.com', 'https', '/', 'nginx'],
    ['b.c.example.com', 'http', '/', 'nginx'],
  ]);
});

test('a kubeconfig file says where the cluster is', async () => {
  server.put('services', SERVICE);
  const disk = new MemoryDisk();
  await disk.makeDir('/etc');
  await disk.writeFileAtomic('/etc/token', Buffer.from('a secret\n'));
  await disk.writeFileAtomic(
    '/etc/kube',
    Buffer.from(`
current-context: c
contexts: [{ name: c, context: { cluster: k, user: u } }]
clusters: [{ name: k, cluster: { server: '${url}' } }]
users: [{ name: u, user: { tokenFile: token } }]
`),
  );
  const found = await discover('role: service, kubeconfig_file: /etc/kube', disk);
  await found.targets(1);
});

test('a server that refuses is asked again, and what is known stays', async () => {
  server.token = 'another';
  server.put('services', SERVICE);
  const found = await discover(API('service'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  server.token = 'a secret';
  await found.targets(1);
  server.token = 'another';
  server.compact();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await found.targets(1);
});
