import type { Config } from '../config/schema.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Route } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import { noTracer } from '../platform/trace.ts';
import { HttpServer, OPEN_ACCESS } from '../server/http-server.ts';
import type { Service } from '../server/lifecycle.ts';
import { tenantOf } from '../tenancy/tenant-id.ts';
import { metricsRoute } from './metrics-route.ts';
import { splitAddress } from './split-address.ts';
import { WebAccess } from './web-access.ts';

/**
 * The HTTP listener of a command that answers no queries: health, metrics, the routes given, with the TLS and credentials
 * of `web.config_file`. The services are in the order of their start; `listening` is told where it listens.
 */
export async function plainListener(
  config: Config,
  routes: readonly Route[],
  isReady: () => boolean,
  deps: {
    readonly disk: Disk;
    readonly clock: Clock;
    readonly log: Logger;
    readonly metrics: Metrics;
  },
  listening: (bound: { readonly host: string; readonly port: number }) => void = () => {},
): Promise<Service[]> {
  const { disk, clock, log, metrics } = deps;
  const file = config.web.config_file;
  const web = file === '' ? undefined : await WebAccess.open(file, disk, clock, log);
  const [host, port] = splitAddress(config.http.listen_address);
  const server = new HttpServer(
    {
      clock,
      host,
      port,
      allowsOrigin: undefined,
      requestTimeoutMs: config.http.request_timeout,
      connectionsMax: config.http.max_connections,
      bodyBytesMax: config.http.max_request_bytes_in_flight,
      tenantOf: (headers, fallback) => tenantOf(headers, fallback ?? config.tenant.default),
      isReady,
      tracer: noTracer,
      access: web?.current ?? OPEN_ACCESS,
    },
    [...routes, metricsRoute(metrics)],
    log,
    metrics,
  );
  web?.onChange((access) => server.replaceAccess(access));
  const listener: Service = {
    name: 'listener',
    start: async () => listening(await server.listen()),
    stop: () => server.close(config.http.shutdown_timeout),
  };
  return web ? [web, listener] : [listener];
}
