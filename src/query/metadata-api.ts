import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';
import { mergeMetadata } from '../storeapi/merge-metadata.ts';
import type { WireMeta, WireMetadataRequest, WireMetadataResponse } from '../storeapi/service-messages.ts';
import { getRoute, onApiPaths } from './api-paths.ts';
import { jsonResponse } from './json-response.ts';
import { Params } from './params.ts';
import { readOptions } from './read-options.ts';
import type { ServiceReader } from './service-reader.ts';

/** `metadata` of this process and all its endpoints, merged. */
export function metadataRoutes(reader: ServiceReader): Route[] {
  return onApiPaths([getRoute('/api/v1/metadata', (request) => metadata(reader, request))]);
}

async function metadata(reader: ServiceReader, request: HttpRequest): Promise<HttpResponse> {
  const params = new Params(request);
  // As in Prometheus a limit of 0 metrics is none of them, and 0 per metric all.
  const limit = unlimitedBelow(0, params.integer('limit'));
  const perMetric = unlimitedBelow(1, params.integer('limit_per_metric'));
  const metric = params.text('metric');
  const read = readOptions(params);
  // Each source has its own first metrics: which ones are first of all shows only when all are here.
  const asked: Omit<WireMetadataRequest, 'partial_response_strategy'> = { metric: metric ?? '', limit: -1 };
  const { tenant, signal } = request;
  const question = { service: 'metadata', method: 'MetricMetadata', tenant, request: asked, read } as const;
  const { messages, warnings } = await reader.ask<WireMetadataResponse>(question, signal);
  const merged = mergeMetadata(
    messages.flatMap((message) => (message.metadata ? [message.metadata.metadata] : [])),
  );
  const result: Record<string, WireMeta[]> = Object.create(null);
  let count = 0;
  for (const [name, entries] of merged) {
    if (metric !== undefined && name !== metric) continue;
    if (count++ >= limit) break;
    result[name] = entries.slice(0, perMetric);
  }
  return jsonResponse(result, warnings);
}

function unlimitedBelow(smallest: number, limit = -1): number {
  return limit < smallest ? Number.POSITIVE_INFINITY : limit;
}
