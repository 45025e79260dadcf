import { silentLogger } from '../../platform/log.ts';
import { SystemClock } from '../../platform/clock.ts';
import { Metrics } from '../../platform/metrics.ts';
import { GrpcServer, type StreamingService } from '../grpc-server.ts';
import { loadServices } from '../service-definitions.ts';
import { NO_CREDENTIALS, StoreClient, type StoreClientOptions } from '../store-client.ts';
import type { StoreServer } from '../store-server.ts';

export const services = loadServices();

/** A server on a free port of loopback and a client of it, for tests. */
export async function loopback(
  store: StoreServer,
  options: Partial<StoreClientOptions> & { readonly streaming?: readonly StreamingService[]; readonly token?: string } = {},
) {
  const { streaming = [], token, ...clientOptions } = options;
  const clock = new SystemClock();
  const server = new GrpcServer(
    {
      host: '127.0.0.1',
      port: 0,
      access: {
        tls: undefined,
        admit: async (authorization) =>
          token === undefined || authorization === `Bearer ${token}` ? { tenants: undefined } : undefined,
      },
      tenantOf: (metadata) => metadata['thanos-tenant'] ?? 'anonymous',
      isReady: () => true,
      messageBytesMax: 64 * 1024 * 1024,
      streamsMax: 1000,
    },
    services,
    store,
    streaming,
    clock,
    silentLogger,
    new Metrics(),
  );
  const port = await server.listen();
  const client = new StoreClient(
    {
      address: `127.0.0.1:${port}`,
      credentials: () => NO_CREDENTIALS,
      compression: 'none',
      messageBytesMax: 64 * 1024 * 1024,
      unaryTimeoutMs: 10_000,
      ...clientOptions,
    },
    services,
    clock,
  );
  const close = async () => {
    client.close();
    await server.close(100);
  };
  return { server, client, port, close };
}
