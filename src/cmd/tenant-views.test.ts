import { expect, test } from 'vitest';
import { Matcher } from '../model/matcher.ts';
import { STALE_NAN } from '../model/sample.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { systemOn } from '../push/ingester/testdata/system-on.ts';
import { Answerer } from '../query/answer.ts';
import type { QueryJob } from '../query/jobs.ts';
import { BareSelectors } from '../query/newest-answer.ts';
import type { Answer } from '../query/thread-protocol.ts';
import { mergeQueriers } from '../storage/merge.ts';
import { ForeseenAsks } from '../tsdb/foreseen-asks.ts';
import { admitAll } from '../tsdb/head/series-table.ts';
import { unpackReady } from '../tsdb/head-ask.ts';
import { floatSeries, requestBody } from '../tsdb/testdata/db-fixture.ts';
import { ViewSources } from '../tsdb/view-sources.ts';
import { pinTenantView } from './tenant-views.ts';

const MINUTE = 60_000;
const NOW = Math.floor(Date.now() / MINUTE) * MINUTE;
const NO_LIMITS = { samplesMax: 0, seriesMax: 0, mint: Number.NEGATIVE_INFINITY };
const QUERIES = [
  'a',
  '(a{x!="2"})',
  'a{x="0"}',
  'a{x="nothing"}',
  '{x=~"1|2"}',
  'wide',
  'rare',
  'a @ 100',
  'a offset 1m',
  '-a',
  'sum(a)',
  'a[1m]',
  'a{',
];

/** A tenant with floats of all kinds, series that ended or pause, many series, and a way to ask it. */
async function tenantWithData() {
  const disk = new MemoryDisk();
  const { tenants } = systemOn(disk, new MemoryBucket(new SystemClock()));
  await tenants.open('t');
  const { db } = tenants.find('t')!;
  const write = (name: string, x: string, samples: [number, number][]) =>
    db.write(requestBody([floatSeries({ __name__: name, x }, samples)]), 1, admitAll);
  const last = [1.5, Number.NaN, Number.POSITIVE_INFINITY, -0, 1e-7, 1e21, STALE_NAN];
  for (const [i, v] of last.entries())
    await write('a', `${i}`, [[NOW - 2 * MINUTE, i], ...([[NOW, v]] as [number, number][])]);
  await write('a', 'é "\\\n\u{1f600}', [[NOW - MINUTE, 7]]);
  await write('a', 'old', [[NOW - 6 * MINUTE, 7]]);
  for (let i = 0; i < 40; i++) await write('wide', `${i}`, [[NOW, i]]);
  const shortcuts = {
    foreseen: new ForeseenAsks(),
    bare: new BareSelectors({}),
    lookbackDeltaMs: 5 * MINUTE,
  };
  const answerer = new Answerer({}, 5 * MINUTE);
  const sources = new ViewSources(disk, 1 << 20);
  const { signal } = new AbortController();
  const job = (query: string, timeMs: number, more: object = {}): QueryJob => ({
    ...{ kind: 'instant', query, timeMs, lookbackDeltaMs: 0, limit: 0, stats: 'none', analyze: false },
    ...more,
  });
  const ask = async (asked: QueryJob, limits = NO_LIMITS) => {
    const pinned = pinTenantView('t', tenants, 'tsdb', undefined, asked, shortcuts);
    const known = pinned.answerAtOnce?.(limits);
    const { local } = pinned.description as { local: Parameters<ViewSources['queriers']>[0] };
    const ready = unpackReady(pinned.foresee?.().ready as readonly unknown[]);
    const serve = async (request: unknown) => (await pinned.serve(request)).reply;
    const querier = async (mint: number, maxt: number) =>
      mergeQueriers(await sources.queriers(local, serve, mint, maxt, ready));
    const whole = await answerer
      .answer(asked, limits, { querier }, signal)
      .then(textOf, (error: Error) => error.message);
    pinned.release();
    return { known: known && textOf(known), whole };
  };
  return { tenants, write, job, ask, stop: () => tenants.stop() };
}

function textOf({ text, parts }: Answer): string {
  return (text === undefined ? Buffer.concat(parts) : Buffer.from(text, 'latin1')).toString();
}

test('what is answered at once is what a query thread answers, and bare selectors are', async () => {
  const { tenants, write, job, ask, stop } = await tenantWithData();
  const seen = new Map<string, number>();
  const askAll = async () => {
    for (const query of QUERIES)
      for (const t of [
        NOW,
        NOW,
        NOW + 1,
        NOW - 1,
        NOW + 5 * MINUTE,
        NOW + 5 * MINUTE - 1,
        NOW + 7 * MINUTE,
      ]) {
        const { known, whole } = await ask(job(query, t));
        if (known !== undefined) seen.set(query, (seen.get(query) ?? 0) + 1);
        if (known !== undefined) expect(known, `${query} at ${t - NOW}`).toBe(whole);
      }
  };
  await askAll();
  // Of the many series of `wide` only that there are none any more.
  const atOnce = ['a', '(a{x!="2"})', 'a{x="0"}', 'a{x="nothing"}', '{x=~"1|2"}', 'wide', 'rare'];
  expect([...seen.keys()]).toEqual(atOnce);
  expect(seen.get('a{x="0"}')).toBe(5);
  await write('a', '0', [[NOW - 3 * MINUTE, 9]]);
  await askAll();
  const ctx = { signal: new AbortController().signal };
  await tenants.deleteSeries(ctx, 't', [[new Matcher('=', 'x', '2')]], NOW - MINUTE, NOW);
  await askAll();
  await stop();
});

test('queries that want more than values, or may see less, go to a query thread', async () => {
  const { job, ask, stop } = await tenantWithData();
  await ask(job('a', NOW));
  expect((await ask(job('a', NOW))).known).toContain('"1.5"');
  for (const more of [{ limit: 1 }, { stats: 'some' }, { analyze: true }, { read: { dedup: true } }])
    expect((await ask(job('a', NOW, more))).known).toBeUndefined();
  for (const limit of [{ samplesMax: 3 }, { seriesMax: 3 }, { mint: NOW }])
    expect((await ask(job('a', NOW), { ...NO_LIMITS, ...limit })).known).toBeUndefined();
  expect((await ask(job('a', NOW, { lookbackDeltaMs: 1000 }))).known).toBeUndefined();
  const { known, whole } = await ask(job('a', NOW, { lookbackDeltaMs: 1000 }));
  expect(known).toBe(whole);
  await stop();
});
