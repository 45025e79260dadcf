import { expect, test } from 'vitest';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { HandClock } from '../platform/testdata/hand-clock.ts';
import { localChannel, type Thread } from '../platform/threads.ts';
import type { QueryJob } from './jobs.ts';
import { unpackToThread } from './packed-messages.ts';
import { type PinnedView, ThreadPool } from './thread-pool.ts';
import type { FromThread, ToThread } from './thread-protocol.ts';

const JOB: QueryJob = { kind: 'remoteRead', body: new Uint8Array() };
const NO_LIMITS = { samplesMax: 0, seriesMax: 0, mint: Number.NEGATIVE_INFINITY };
const caller = new AbortController();

/** Threads that do what a test says; what they were sent, and how each is made to end. */
function setUp(threads = 1, concurrencyMax = 4) {
  const clock = new HandClock();
  const started: { sent: ToThread[]; end: (error: Error) => void; say: (message: FromThread) => void }[] = [];
  const start = (): Thread => {
    const sent: ToThread[] = [];
    let say: (message: unknown) => void = () => {};
    let end: (error: Error) => void = () => {};
    started.push({ sent, end: (error) => end(error), say: (message) => say(message) });
    const post = (message: unknown) => void sent.push(unpackToThread(message));
    return {
      ...localChannel()[0],
      post,
      postSoon: post,
      onMessage: (handle) => {
        say = handle;
      },
      onExit: (handle) => {
        end = handle;
      },
      stop: async () => {},
    };
  };
  const metrics = new Metrics();
  const options = { threads, concurrencyMax, queuedMax: 10, timeoutMs: 100_000 };
  const pool = new ThreadPool(options, start, clock, silentLogger, metrics);
  const released: PinnedView[] = [];
  const run = (isSmall = false) => {
    const pinned: PinnedView = {
      description: undefined,
      foresee: () => ({ ready: [], isSmall, transfer: [] }),
      serve: async () => ({ reply: undefined, transfer: [] }),
      release: () => released.push(pinned),
    };
    const answer = pool.run('a', JOB, NO_LIMITS, () => pinned, caller);
    answer.catch(() => {});
    return answer;
  };
  const queriesOf = (thread: number) => started[thread].sent.filter(({ type }) => type === 'run').length;
  return { clock, started, pool, run, released, metrics, queriesOf };
}

test('a thread that dies takes its queries with it and is replaced, and their views are let go', async () => {
  const { started, run, released, pool } = setUp();
  const lost = run();
  started[0].say({ type: 'wantHelp' });
  started[0].end(new Error('out of memory'));
  await expect(lost).rejects.toThrow("the query's thread ended: out of memory");
  expect([started.length, released.length]).toEqual([2, 1]);
  run();
  expect(started[1].sent.at(-1)?.type).toBe('run');
  await pool.close();
});

test('a thread that dies at its start is started again later each time, and half a minute later at most', async () => {
  const { clock, started, metrics, pool } = setUp();
  const delays: number[] = [];
  for (let i = 0; i < 12; i++) {
    started.at(-1)?.end(new Error('no such file'));
    delays.push(clock.delays[0] ?? 0);
    clock.advance(delays[i]);
  }
  expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  expect(started.length).toBe(13);
  const text = await metrics.registry.metrics();
  expect(text).toContain('verona_query_threads_ended_total 12');
  expect(text).toContain('verona_query_threads 1');
  // It says something: the next end is the first again.
  started.at(-1)?.say({ type: 'wantHelp' });
  started.at(-1)?.end(new Error('out of memory'));
  expect([clock.delays, started.length]).toEqual([[], 14]);
  await pool.close();
});

test('queries wait for a thread that is back soon, and are refused with the reason when it is not', async () => {
  const { clock, started, run, pool } = setUp();
  const end = () => started.at(-1)?.end(new Error('no such file'));
  end();
  end();
  const waiting = run();
  expect(started.length).toBe(2);
  clock.advance(100);
  expect(started[2].sent.at(-1)?.type).toBe('run');
  for (const delay of [200, 400, 800]) {
    end();
    clock.advance(delay);
  }
  await expect(waiting).rejects.toThrow('no such file');
  end();
  await expect(run()).rejects.toThrow(
    'no query thread runs: the last one ended (no such file); it is started again in 2 s',
  );
  clock.advance(1600);
  run();
  expect(started.at(-1)?.sent.at(-1)?.type).toBe('run');
  await pool.close();
});

test('queries that waited are refused when their thread is not back soon', async () => {
  const { clock, started, run, pool } = setUp(1, 1);
  const end = () => started.at(-1)?.end(new Error('no such file'));
  for (const delay of [0, 100, 200, 400, 800]) {
    end();
    clock.advance(delay);
  }
  const [running, queued] = [run(), run()];
  end();
  await expect(running).rejects.toThrow("the query's thread ended");
  await expect(queued).rejects.toThrow('no query thread runs');
  await pool.close();
});

test('what is known at once is answered without a thread, unless the tenant may not see all of it', async () => {
  const { pool, queriesOf } = setUp();
  const known = { status: 200, headers: {}, parts: [Uint8Array.of(1)] };
  let released = 0;
  const view = (): PinnedView => ({
    description: undefined,
    answerAtOnce: ({ mint }) => (mint === Number.NEGATIVE_INFINITY ? known : undefined),
    serve: async () => ({ reply: undefined, transfer: [] }),
    release: () => released++,
  });
  expect((await pool.run('a', JOB, NO_LIMITS, view, caller)).body).toEqual(Uint8Array.of(1));
  expect([queriesOf(0), released]).toEqual([0, 1]);
  pool.run('a', JOB, { ...NO_LIMITS, mint: 5 }, view, caller).catch(() => {});
  expect(queriesOf(0)).toBe(1);
  await pool.close();
});

test('small queries keep to one thread as long as none of them takes long, others spread', async () => {
  const { clock, run, queriesOf, pool } = setUp(2, 100);
  run(true);
  run(true);
  run(true);
  run(false);
  expect([queriesOf(0), queriesOf(1)]).toEqual([3, 1]);
  clock.advance(6);
  run(true);
  expect([queriesOf(0), queriesOf(1)]).toEqual([3, 2]);
  await pool.close();
});
