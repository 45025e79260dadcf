import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { querierAcceptance, selectSamples } from './acceptance.ts';
import { completeQueryable } from './complete-querier.ts';
import { emptyQuerier } from './empty-querier.ts';
import { MemoryStorage } from './memory-storage.ts';
import { mergeQueriers } from './merge.ts';

querierAcceptance('a source that lacks nothing, for whoever can pass on no warning', async (data) => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (const { labels, t, v } of data.floats) appender.append(labels, t, v);
  for (const { labels, t, histogram } of data.histograms) appender.appendHistogram(labels, t, histogram);
  await appender.commit();
  return completeQueryable(storage);
});

test('what a source warns of is the error of every read', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  appender.append(Labels.from({ __name__: 'up' }), 1, 1);
  await appender.commit();
  const warned = completeQueryable({
    querier: async (mint, maxt) =>
      mergeQueriers([await storage.querier(mint, maxt), emptyQuerier(['a log was not read back'])]),
  });
  const querier = await warned.querier(0, 10);
  const ctx = { signal: new AbortController().signal };
  const request = {
    matchers: [new Matcher('=', '__name__', 'up')],
    mint: 0,
    maxt: 10,
    sorted: false,
    limit: 0,
  };
  await expect(selectSamples(querier, request)).rejects.toThrow('a log was not read back');
  await expect(querier.labelNames(ctx, request)).rejects.toThrow('a log was not read back');
  await expect(querier.labelValues(ctx, '__name__', request)).rejects.toThrow('a log was not read back');
  await expect(querier.exemplars(ctx, [request.matchers], 0, 10)).rejects.toThrow('a log was not read back');
});
