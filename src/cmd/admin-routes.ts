import { VeronaError } from '../model/errors.ts';
import type { HttpResponse, Route } from '../platform/http.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import { MAX_TIME_MS, MIN_TIME_MS, Params } from '../query/params.ts';
import { metricsRoute } from './metrics-route.ts';

interface AdminSources {
  readonly tenants: Tenants;
  readonly metrics: Metrics;
  readonly reload: () => Promise<boolean>;
  /** Whether series may be deleted over HTTP. */
  readonly adminApi: boolean;
}

/** Own metrics, reload, flush, and deletion of series. Health and readiness are the listener's. */
export function adminRoutes({ tenants, metrics, reload, adminApi }: AdminSources): Route[] {
  return [
    metricsRoute(metrics),
    {
      path: '/-/reload',
      methods: ['POST', 'PUT'],
      refusesForeignOrigins: true,
      bodyMax: 1024,
      ofAllTenants: true,
      handle: async () =>
        (await reload())
          ? text(200, 'reloaded\n')
          : text(500, 'the configuration is not good; the old one stays, see the log\n'),
    },
    {
      path: '/ingester/flush',
      methods: ['POST'],
      refusesForeignOrigins: true,
      bodyMax: 1024,
      handle: async ({ tenant }) => {
        await tenants.flush(tenant);
        return text(200, `flushed: what tenant ${tenant} had in memory is in blocks\n`);
      },
    },
    ...['', '/prometheus'].map(
      (prefix): Route => ({
        path: `${prefix}/api/v1/admin/tsdb/delete_series`,
        methods: ['POST', 'PUT'],
        refusesForeignOrigins: true,
        bodyMax: 1024 * 1024,
        handle: async (request) => {
          if (!adminApi)
            throw new VeronaError('unavailable', 'admin APIs disabled; start with --http.enable-admin-api');
          const params = new Params(request);
          const sets = params.matcherSets();
          if (sets.length === 0) throw new VeronaError('bad_data', 'no match[] parameter provided');
          const [start, end] = [params.time('start', MIN_TIME_MS), params.time('end', MAX_TIME_MS)];
          if (end < start) throw new VeronaError('bad_data', 'end timestamp must not be before start time');
          await tenants.deleteSeries({ signal: request.signal }, request.tenant, sets, start, end);
          return { status: 204 };
        },
      }),
    ),
  ];
}

function text(status: number, body: string): HttpResponse {
  return { status, body };
}
