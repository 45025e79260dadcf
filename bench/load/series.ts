import { encodeLabels } from '../../src/encoding/label-bytes.ts';
import { Labels } from '../../src/model/labels.ts';

/** Ten metrics, half counters, half gauges; one of them the buckets of a classic histogram. */
const METRICS = [
  { name: 'http_requests_total', kind: 'counter' },
  { name: 'http_request_duration_seconds_bucket', kind: 'bucket' },
  { name: 'http_response_bytes_total', kind: 'counter' },
  { name: 'process_cpu_seconds_total', kind: 'counter' },
  { name: 'queue_items_processed_total', kind: 'counter' },
  { name: 'process_resident_memory_bytes', kind: 'gauge' },
  { name: 'queue_length', kind: 'gauge' },
  { name: 'connection_pool_in_use', kind: 'gauge' },
  { name: 'cache_hit_ratio', kind: 'gauge' },
  { name: 'node_temperature_celsius', kind: 'gauge' },
] as const;

export type SeriesKind = (typeof METRICS)[number]['kind'];

const LE = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '+Inf'];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];
const HANDLERS = ['/api/v1/orders', '/api/v1/customers', '/api/v1/payments', '/api/v1/inventory', '/healthz'];
const REGIONS = ['eu-central-1', 'eu-west-1', 'us-east-1', 'us-west-2', 'ap-south-1'];

export const SERIES_PER_INSTANCE = 10;

/**
 * The label set of one of the `total` series: ten labels, some 265 bytes as remote write has them. Series of one
 * metric stand together, `total / 10` of each. `generation` changes the pod and the instance, as a new roll-out does.
 */
export function seriesLabels(index: number, total: number, generation = 0): Labels {
  const perMetric = total / METRICS.length;
  const metric = METRICS[Math.floor(index / perMetric)];
  const n = index % perMetric;
  const instance = Math.floor(n / SERIES_PER_INSTANCE);
  const variant = n % SERIES_PER_INSTANCE;
  const host = `10.${(instance >> 16) & 255}.${(instance >> 8) & 255}.${instance & 255}`;
  const suffix = ((instance * 2654435761 + generation * 40503) >>> 0).toString(36).padStart(7, '0');
  return Labels.from({
    __name__: metric.name,
    cluster: `production-${REGIONS[instance % REGIONS.length]}-a`,
    handler: HANDLERS[variant % HANDLERS.length],
    instance: generation === 0 ? `${host}:8080` : `${host}:${8080 + generation}`,
    job: `service-${String(instance % 100).padStart(3, '0')}/api-server`,
    method: METHODS[variant % METHODS.length],
    namespace: `team-${String(instance % 20).padStart(2, '0')}-production`,
    pod: `api-server-${(instance % 100).toString().padStart(3, '0')}-${suffix}-${instance}`,
    region: REGIONS[instance % REGIONS.length],
    ...(metric.kind === 'bucket' ? { le: LE[variant] } : { shard: `shard-${variant}` }),
  });
}

export function seriesKind(index: number, total: number): SeriesKind {
  return METRICS[Math.floor(index / (total / METRICS.length))].kind;
}

export function seriesBytes(index: number, total: number, generation = 0): Uint8Array {
  return encodeLabels(seriesLabels(index, total, generation));
}
