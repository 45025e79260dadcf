import type { Route } from '../platform/http.ts';
import type { Metrics } from '../platform/metrics.ts';

/** `/metrics`: Verona's own, in Prometheus' text. */
export function metricsRoute(metrics: Metrics): Route {
  return {
    path: '/metrics',
    methods: ['GET'],
    bodyMax: 0,
    ofAllTenants: true,
    handle: async () => ({
      status: 200,
      headers: { 'content-type': metrics.registry.contentType },
      body: await metrics.registry.metrics(),
    }),
  };
}
