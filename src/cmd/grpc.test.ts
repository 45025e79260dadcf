import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { Labels } from '../model/labels.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { emptyQuerier } from '../storage/empty-querier.ts';
import { QueryableStore } from '../storeapi/queryable-store.ts';
import { grpcService, keptInfo } from './grpc.ts';

test.each([
  ['0.0.0.0:0', 1],
  ['127.0.0.1:0', 0],
])('gRPC at %s without credentials is warned of %i times', async (address, times) => {
  const config = loadConfig({ file: 'verona.yml', text: '' }, { '--grpc.listen-address': address }, {});
  const source = { querier: async () => emptyQuerier([]) };
  const store = new QueryableStore(source, () => keptInfo(Labels.empty, '', []));
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (message: string) => warnings.push(message) };
  const deps = { disk: new NodeDisk(), clock: new SystemClock(), log, metrics: new Metrics() };
  const service = await grpcService(config, store, [], () => true, deps);
  await service.start();
  await service.stop();
  expect(warnings.filter((text) => text.includes('can read every tenant'))).toHaveLength(times);
});
