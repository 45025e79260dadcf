import { expect, test } from 'vitest';
import type { Logger } from '../platform/log.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { Metrics } from '../platform/metrics.ts';
import { HandClock } from '../platform/testdata/hand-clock.ts';
import { ActiveQueries, parseActive } from './active-queries.ts';
import type { QueryJob } from './jobs.ts';
import { QueryLog } from './query-log.ts';
import type { EndedQuery } from './query-observer.ts';
import { QueryStatistics } from './query-statistics.ts';

function logOf() {
  const lines: { message: string; fields: Record<string, unknown> }[] = [];
  const add = (message: string, fields = {}) => lines.push({ message, fields });
  const log: Logger = { debug: add, info: add, warn: add, error: add, child: () => log };
  return { log, lines };
}

function job(query: string): QueryJob {
  return {
    kind: 'range',
    query,
    startMs: 0,
    endMs: 60_000,
    stepMs: 15_000,
    lookbackDeltaMs: 0,
    limit: 0,
    stats: 'none',
    analyze: false,
  };
}

const begun = (id: number, query: string, tenant = 'a') => ({ id, tenant, job: job(query), waitedMs: 1 });

function ended(id: number, query: string, more: Partial<EndedQuery> = {}): EndedQuery {
  const figures = { samplesRead: 100, peakSamples: 10, planMs: 1, evaluationMs: 5 };
  return {
    ...begun(id, query),
    tookMs: 6,
    outcome: 'ok',
    error: undefined,
    figures,
    answerBytes: 50,
    ...more,
  };
}

async function activeOver(disk: MemoryDisk, clock = new HandClock(1_700_000_000_000)) {
  const { log, lines } = logOf();
  const active = new ActiveQueries('/d/queries.active', 3, disk, clock, log);
  await active.start();
  return { active, lines, clock };
}

async function newDisk(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await disk.makeDir('/d');
  return disk;
}

test('what ran for a while when the process died is told at the next start, and only that', async () => {
  const disk = await newDisk();
  const { active, clock } = await activeOver(disk);
  active.began(begun(1, 'sum(killer)'));
  active.began(begun(2, 'short'));
  active.ended(ended(2, 'short'));
  active.began(begun(3, 'ends_in_time'));
  await clock.pass(25);
  active.ended(ended(3, 'ends_in_time'));
  active.began(begun(4, 'too_young'));
  await clock.pass(1);
  const { lines } = await activeOver(disk);
  expect(lines).toHaveLength(1);
  expect(lines[0].fields).toEqual({
    count: 1,
    queries: [{ query: 'sum(killer)', timestamp_sec: 1_700_000_000, tenant: 'a', kind: 'range' }],
  });
  expect((await activeOver(disk)).lines).toEqual([]);
});

test('an orderly stop leaves nothing to tell', async () => {
  const disk = await newDisk();
  const { active, clock } = await activeOver(disk);
  active.began(begun(1, 'sum(x)'));
  await clock.pass(25);
  await active.stop();
  expect((await activeOver(disk)).lines).toEqual([]);
});

test('more queries than the file has room for, and texts longer than an entry, are no trouble', async () => {
  const disk = await newDisk();
  const { active, clock } = await activeOver(disk);
  const long = `sum(${'é'.repeat(3000)})`;
  for (let id = 0; id < 5; id++) active.began(begun(id, id === 0 ? long : `q${id}`));
  await clock.pass(25);
  const bytes = await disk.readFile('/d/queries.active');
  expect(bytes.length).toBe(1 + 3 * 1000);
  const [first, ...others] = parseActive(bytes);
  expect(long.startsWith(first.query) && first.query.length > 300).toBe(true);
  expect(others.map(({ query }) => query)).toEqual(['q1', 'q2']);
  expect(active.of('a').map(({ query }) => query)).toEqual([long, 'q1', 'q2', 'q3', 'q4']);
  expect(active.of('b')).toEqual([]);
});

test('a torn file, and one that Prometheus left, are read as far as they go', () => {
  const text =
    '[{"query":"up","timestamp_sec":1},\0\0\0{"query":"sum(up)","timestamp_sec":2},\0\0{"query":"to';
  expect(parseActive(new TextEncoder().encode(text)).map(({ query }) => query)).toEqual(['up', 'sum(up)']);
  expect(parseActive(new Uint8Array([255, 0, 91, 0, 123]))).toEqual([]);
});

test('a disk that cannot be written is said once, and queries run on', async () => {
  const disk = await newDisk();
  disk.faults.readOnly = true;
  const { active, lines, clock } = await activeOver(disk);
  for (let id = 0; id < 3; id++) active.began(begun(id, 'x'));
  await clock.pass(25);
  active.ended(ended(1, 'x'));
  await active.stop();
  expect(lines.map(({ message }) => message)).toEqual([
    'running queries are not noted: a crash will not tell which query it was',
  ]);
});

async function queryLog(slowMs: number, path = '/d/queries.log') {
  const disk = await newDisk();
  const { log, lines } = logOf();
  const written = new QueryLog({ path, slowMs }, disk, new HandClock(1_700_000_000_000), log, new Metrics());
  await written.start();
  const read = async (file = path) => new TextDecoder().decode(await disk.readFile(file));
  return { written, disk, lines, read };
}

test('every query is a line of the query log, with Prometheus’ keys', async () => {
  const { written, read, lines } = await queryLog(0);
  written.ended(ended(1, 'sum(x)'));
  written.ended(ended(2, 'sum(', { outcome: 'bad_data', error: 'parse error', figures: undefined }));
  await written.stop();
  const [first, second] = (await read())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(first).toEqual({
    params: { query: 'sum(x)', start: '1970-01-01T00:00:00.000Z', end: '1970-01-01T00:01:00.000Z', step: 15 },
    stats: {
      timings: {
        evalTotalTime: 0.006,
        queryPreparationTime: 0.001,
        innerEvalTime: 0.005,
        execQueueTime: 0.001,
        execTotalTime: 0.007,
      },
      samples: { samplesRead: 100, peakSamples: 10 },
    },
    ts: '2023-11-14T22:13:20.000Z',
    tenant: 'a',
    kind: 'range',
    outcome: 'ok',
    answerBytes: 50,
  });
  expect(second).toMatchObject({ outcome: 'bad_data', error: 'parse error' });
  expect(lines).toEqual([]);
});

test('a log that was moved away is begun anew, one that is there is continued', async () => {
  const { written, disk, read } = await queryLog(0);
  written.ended(ended(1, 'before'));
  await written.reopen();
  written.ended(ended(2, 'between'));
  await written.reopen();
  await disk.rename('/d/queries.log', '/d/queries.log.1');
  await written.reopen();
  written.ended(ended(3, 'after'));
  await written.stop();
  expect((await read('/d/queries.log.1')).match(/before|between|after/g)).toEqual(['before', 'between']);
  expect((await read()).match(/before|between|after/g)).toEqual(['after']);
});

test('only what is slow is a warning', async () => {
  const { written, lines } = await queryLog(1000, '');
  written.ended(ended(1, 'fast', { tookMs: 999 }));
  written.ended(ended(2, 'slow', { tookMs: 1500, outcome: 'timeout', error: 'query timed out' }));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    message: 'a slow query',
    fields: { query: 'slow', tenant: 'a', seconds: 1.5, samples: 100, outcome: 'timeout' },
  });
});

test('lines that a broken disk does not take are counted, and the log says so once', async () => {
  const { written, disk, lines } = await queryLog(0);
  disk.faults.fails = (operation) => operation === 'write';
  for (let id = 0; id < 3; id++) {
    written.ended(ended(id, 'x'));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await written.stop();
  expect(lines.map(({ message }) => message)).toEqual(['the query log was not written']);
});

test('numbers are kept by tenant, and shown to that tenant', async () => {
  const metrics = new Metrics();
  const statistics = new QueryStatistics(() => 1_700_000_000_000, metrics);
  const { active } = await activeOver(await newDisk());
  active.began(begun(9, 'running', 'a'));
  for (let i = 1; i <= 30; i++) statistics.ended(ended(i, `q${i}`, { tookMs: i * 1000 }));
  statistics.ended(ended(40, 'other', { tenant: 'b', outcome: 'timeout', figures: undefined }));
  const [route] = statistics.routes(active);
  const ask = async (tenant: string) => {
    const { body } = await route.handle({
      tenant,
      query: new URLSearchParams('limit=2'),
      headers: {},
      body: new Uint8Array(),
    } as never);
    return JSON.parse(String(body)).data;
  };
  const { totals, running, slowest } = await ask('a');
  expect(totals).toEqual({
    queries: 30,
    failed: 0,
    seconds: 465,
    waitedSeconds: expect.closeTo(0.03),
    samples: 3000,
    answerBytes: 1500,
  });
  expect(running.map(({ query }: { query: string }) => query)).toEqual(['running']);
  expect(slowest.map(({ query, seconds }: { query: string; seconds: number }) => [query, seconds])).toEqual([
    ['q30', 30],
    ['q29', 29],
  ]);
  expect((await ask('b')).totals).toMatchObject({ queries: 1, failed: 1, samples: 0 });
  expect((await ask('c')).totals.queries).toBe(0);
  expect(await metrics.registry.getSingleMetricAsString('verona_queries_total')).toContain(
    'verona_queries_total{tenant="b",outcome="timeout"} 1',
  );
});
