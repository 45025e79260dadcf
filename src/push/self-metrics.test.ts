import { expect, test } from 'vitest';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { admitAll } from '../tsdb/head/series-table.ts';
import { SelfMetrics } from './self-metrics.ts';
import { NOW, PushKit } from './testdata/push-kit.ts';

test('own metrics are stored as a job that nobody else scrapes', async () => {
  const kit = await PushKit.open();
  try {
    const metrics = new Metrics();
    metrics.counter('verona_things_total', 'Things.').inc(3);
    const clock = { now: () => NOW, monotonic: () => 0, after: () => () => {} };
    const options = { intervalMs: 15_000, instance: '127.0.0.1:9009' };
    const self = new SelfMetrics(
      options,
      async () => kit.head.appender(admitAll),
      metrics,
      clock,
      silentLogger,
    );
    await self.start();
    await self.stop();
    const stored = await kit.stored();
    expect(stored['{__name__="up", instance="127.0.0.1:9009", job="verona-self"}']).toEqual([[NOW, 1]]);
    expect(stored['{__name__="verona_things_total", instance="127.0.0.1:9009", job="verona-self"}']).toEqual([
      [NOW, 3],
    ]);
  } finally {
    await kit.close();
  }
});
