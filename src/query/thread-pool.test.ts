import { expect, test } from 'vitest';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { localChannel, type Thread } from '../platform/threads.ts';
import type { QueryJob } from './jobs.ts';
import { type PinnedView, ThreadPool } from './thread-pool.ts';

const JOB: QueryJob = { kind: 'remoteRead', body: new Uint8Array() };
const NO_LIMITS = { samplesMax: 0, seriesMax: 0, mint: Number.NEGATIVE_INFINITY };

test('a view that is pinned for a query whose thread has died is let go', async () => {
  let die = () => {};
  const start = (): Thread => ({
    ...localChannel()[0],
    onExit: (handle) => {
      die = () => handle(new Error('out of memory'));
    },
    stop: async () => {},
  });
  const limits = { threads: 1, concurrencyMax: 1, queuedMax: 1, timeoutMs: 1000 };
  const pool = new ThreadPool(limits, start, new SystemClock(), silentLogger, new Metrics());
  const pinned = Promise.withResolvers<PinnedView>();
  const { signal } = new AbortController();
  const answer = pool.run('a', JOB, NO_LIMITS, () => pinned.promise, signal);
  die();
  await expect(answer).rejects.toThrow('out of memory');
  let released = 0;
  pinned.resolve({
    description: undefined,
    serve: async () => ({ reply: undefined, transfer: [] }),
    release: () => released++,
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(released).toBe(1);
  await pool.close();
});
