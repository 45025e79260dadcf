import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { limitQueryable } from './limited-querier.ts';
import { MemoryStorage } from './memory-storage.ts';

const ctx = { signal: new AbortController().signal };
const matchers = [new Matcher('=', '__name__', 'x')];

async function storage() {
  const memory = new MemoryStorage();
  const appender = memory.appender();
  for (const i of [1, 2, 3])
    for (const t of [1000, 2000]) appender.append(Labels.from({ __name__: 'x', i: `${i}` }), t, i);
  await appender.commit();
  return memory;
}

async function selectAll(limits: { seriesMax: number; mint: number }) {
  const querier = await limitQueryable(await storage(), limits).querier(0, 5000);
  let series = 0;
  for await (const batch of querier.select(ctx, { matchers, mint: 0, maxt: 5000, sorted: true }))
    series += batch.seriesCount;
  return series;
}

test('more series than the limit are an error that names it', async () => {
  expect(await selectAll({ seriesMax: 3, mint: Number.NEGATIVE_INFINITY })).toBe(3);
  await expect(selectAll({ seriesMax: 2, mint: Number.NEGATIVE_INFINITY })).rejects.toThrow(
    'max_fetched_series_per_query',
  );
});

test('nothing before the oldest visible time is shown', async () => {
  expect(await selectAll({ seriesMax: 0, mint: 2000 })).toBe(3);
  expect(await selectAll({ seriesMax: 0, mint: 2001 })).toBe(0);
});
