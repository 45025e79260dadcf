import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { STALE_NAN } from '../model/sample.ts';
import { type AcceptanceData, querierAcceptance, selectSamples } from './acceptance.ts';
import { MemoryStorage } from './memory-storage.ts';
import type { SeriesBatch } from './series-batch.ts';

querierAcceptance('memory storage', fill);

async function fill(data: AcceptanceData): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (const { labels, t, v } of data.floats) expect(appender.append(labels, t, v)).toBe('ok');
  for (const { labels, t, histogram } of data.histograms)
    expect(appender.appendHistogram(labels, t, histogram)).toBe('ok');
  await appender.commit();
  return storage;
}

const up = Labels.from({ __name__: 'up' });
const request = { matchers: [new Matcher('=', '__name__', 'up')], mint: 0, maxt: 100, sorted: true };

test('nothing is readable before commit, nor after a rollback', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  appender.append(up, 1, 1);
  expect(await selectSamples(await storage.querier(0, 100), request)).toEqual({});
  appender.rollback();
  await appender.commit();
  expect(storage.seriesCount).toBe(0);
});

test('a querier does not see later commits', async () => {
  const storage = new MemoryStorage();
  const before = await storage.querier(0, 100);
  const appender = storage.appender();
  appender.append(up, 1, 1);
  await appender.commit();
  expect(await selectSamples(before, request)).toEqual({});
  expect(await selectSamples(await storage.querier(0, 100), request)).toEqual({ '{__name__="up"}': ['1 1'] });
});

test('samples are refused by the rules of a series', async () => {
  const appender = new MemoryStorage().appender();
  expect(appender.append(up, 10, 1)).toBe('ok');
  expect(appender.append(up, 10, 1)).toBe('duplicate');
  expect(appender.append(up, 10, 2)).toBe('duplicate_value');
  expect(appender.append(up, 9, 1)).toBe('out_of_order');
  expect(appender.append(Labels.empty, 9, 1)).toBe('invalid_labels');
  await appender.commit();
  expect(appender.append(up, 10, 2)).toBe('duplicate_value');
  expect(appender.append(up, 11, STALE_NAN)).toBe('ok');
});

test('exemplars come back by series and range', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  const exemplar = (t: number) => ({
    labels: Labels.from({ trace: `${t}` }),
    value: t,
    t,
    hasTimestamp: true,
  });
  appender.append(up, 1, 1);
  for (const t of [3, 1, 2]) appender.appendExemplar(up, exemplar(t));
  await appender.commit();
  const querier = await storage.querier(0, 100);
  const ctx = { signal: new AbortController().signal };
  expect(await querier.exemplars(ctx, [request.matchers], 2, 5)).toEqual([
    { labels: up, exemplars: [exemplar(2), exemplar(3)] },
  ]);
});

test('start timestamps come with the chunks that have some', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (let t = 1; t <= 200; t++) appender.append(up, t, t, t <= 120 ? 0 : t - 1);
  await appender.commit();
  const batches: SeriesBatch[] = [];
  const querier = await storage.querier(0, 200);
  const ctx = { signal: new AbortController().signal };
  for await (const batch of querier.select(ctx, { ...request, maxt: 200 })) batches.push(batch);
  expect(batches).toHaveLength(1);
  expect([...batches[0].startTimes!.offsets]).toEqual([0, 0, 80]);
  expect([...batches[0].startTimes!.values]).toEqual(Array.from({ length: 80 }, (_, i) => 120 + i));
});
