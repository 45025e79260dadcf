import { z } from 'zod';
import { parseDuration } from '../../model/duration.ts';
import { count, duration, flag, listOf, mapOf, oneOf, optional, text } from './fields.ts';
import { checkHttpClient, httpClientShape } from './http-client.ts';

/** As Prometheus: at most one star, in the name of the file. */
const FILE_PATTERN = /^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$/;

function interval(defaultText: string) {
  return optional(duration).transform((ms) => ms ?? (parseDuration(defaultText) as number));
}

export const targetGroup = z.strictObject({ targets: listOf(text), labels: mapOf(text) });
export type TargetGroupConfig = z.output<typeof targetGroup>;

const fileDiscovery = z.strictObject({
  files: listOf(
    text.regex(FILE_PATTERN, 'not a path of .json, .yml or .yaml files with a star in its name at most'),
  ).refine((files) => files.length > 0, 'needs a file'),
  refresh_interval: interval('5m'),
});
export type FileDiscoveryConfig = z.output<typeof fileDiscovery>;

const httpDiscovery = z
  .strictObject({
    url: text.regex(/^https?:\/\/[^/]/, 'not a URL of http or https'),
    refresh_interval: interval('60s'),
    ...httpClientShape,
  })
  .superRefine(checkHttpClient);
export type HttpDiscoveryConfig = z.output<typeof httpDiscovery>;

const dnsDiscovery = z
  .strictObject({
    names: listOf(text).refine((names) => names.length > 0, 'needs a name'),
    refresh_interval: interval('30s'),
    type: optional(oneOf(['SRV', 'A', 'AAAA', 'MX', 'NS'])).transform((type) => type ?? 'SRV'),
    port: optional(count),
  })
  .superRefine(({ type, port }, context) => {
    if (type !== 'SRV' && port === undefined)
      context.addIssue({ code: 'custom', path: ['type'], message: `a port is required for ${type} records` });
  });
export type DnsDiscoveryConfig = z.output<typeof dnsDiscovery>;

const KUBERNETES_ROLES = ['node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress'] as const;

const kubernetesDiscovery = z
  .strictObject({
    role: oneOf(KUBERNETES_ROLES),
    api_server: optional(text.regex(/^https?:\/\/[^/]/, 'not a URL of http or https')),
    kubeconfig_file: optional(text),
    namespaces: optional(z.strictObject({ own_namespace: optional(flag), names: listOf(text) })),
    selectors: listOf(
      z.strictObject({ role: oneOf(KUBERNETES_ROLES), label: optional(text), field: optional(text) }),
    ),
    attach_metadata: optional(z.strictObject({ node: optional(flag), namespace: optional(flag) })),
    ...httpClientShape,
  })
  .superRefine(checkHttpClient)
  .superRefine(({ api_server, kubeconfig_file }, context) => {
    if (api_server !== undefined && kubeconfig_file !== undefined)
      context.addIssue({ code: 'custom', message: 'at most one of api_server and kubeconfig_file' });
  });
export type KubernetesDiscoveryConfig = z.output<typeof kubernetesDiscovery>;

/** Where targets come from, inline in a scrape configuration. */
export const discoveryShape = {
  static_configs: listOf(targetGroup),
  file_sd_configs: listOf(fileDiscovery),
  http_sd_configs: listOf(httpDiscovery),
  dns_sd_configs: listOf(dnsDiscovery),
  kubernetes_sd_configs: listOf(kubernetesDiscovery),
};

const discovery = z.strictObject(discoveryShape);
export type DiscoveryConfig = z.output<typeof discovery>;
