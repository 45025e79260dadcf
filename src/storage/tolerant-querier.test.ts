import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { HandClock } from '../platform/testdata/hand-clock.ts';
import { querierAcceptance, selectSamples } from './acceptance.ts';
import { emptyQuerier } from './empty-querier.ts';
import { MemoryStorage } from './memory-storage.ts';
import { mergeQueriers } from './merge.ts';
import type { Querier } from './querier.ts';
import { TolerantQuerier } from './tolerant-querier.ts';

const clock = new HandClock();
const request = { matchers: [new Matcher('=', '__name__', 'up')], mint: 0, maxt: 100, sorted: true };

async function stored(): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  appender.append(Labels.from({ __name__: 'up' }), 1, 1);
  await appender.commit();
  return storage;
}

function failing(error: Error): Querier {
  return {
    ...emptyQuerier([]),
    // biome-ignore lint/correctness/useYield: it fails before its first batch.
    async *select() {
      throw error;
    },
    labelNames: async () => {
      throw error;
    },
  };
}

/** Never answers, and hears no signal. */
const stalled: Querier = {
  ...emptyQuerier([]),
  async *select() {
    await new Promise(() => {});
  },
  labelNames: () => new Promise(() => {}),
};

function tolerant(source: Querier, onFailure: 'warn' | 'abort', stallMs = 0): TolerantQuerier {
  return new TolerantQuerier(source, { onFailure, stallMs, name: 'store-1' }, clock);
}

querierAcceptance('a source that may fail', async ({ floats, histograms }) => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (const { labels, t, v } of floats) appender.append(labels, t, v);
  for (const { labels, t, histogram } of histograms) appender.appendHistogram(labels, t, histogram);
  await appender.commit();
  return { querier: async (mint, maxt) => tolerant(await storage.querier(mint, maxt), 'warn') };
});

test('a failure is a warning beside what the others give', async () => {
  const merged = mergeQueriers([
    await (await stored()).querier(0, 100),
    tolerant(failing(new VeronaError('unavailable', 'gone')), 'warn'),
  ]);
  expect(await selectSamples(merged, request)).toEqual({ '{__name__="up"}': ['1 1'] });
  expect(merged.warnings).toEqual(['store-1: gone']);
});

test('with abort the failure is the answer', async () => {
  const merged = mergeQueriers([
    await (await stored()).querier(0, 100),
    tolerant(failing(new VeronaError('unavailable', 'gone')), 'abort'),
  ]);
  await expect(selectSamples(merged, request)).rejects.toThrow('gone');
});

test('a source that stalls is given up, and said to have stalled', async () => {
  const querier = tolerant(stalled, 'warn', 20);
  const selected = selectSamples(querier, request);
  await clock.pass(20);
  expect(await selected).toEqual({});
  const ctx = { signal: new AbortController().signal };
  const names = querier.labelNames(ctx, { ...request, limit: 0 });
  await clock.pass(20);
  expect(await names).toEqual([]);
  expect(querier.warnings).toEqual(['store-1: nothing came for 0.02 s']);
});

test('a source that brings little at a time is not taken for one that stalls', async () => {
  const storage = await stored();
  const slow: Querier = {
    ...emptyQuerier([]),
    async *select(ctx, wanted) {
      for (let i = 0; i < 6; i++) {
        await clock.pass(100);
        ctx.progress?.();
      }
      yield* (await storage.querier(0, 100)).select(ctx, wanted);
    },
  };
  const querier = new TolerantQuerier(slow, { onFailure: 'abort', stallMs: 120, name: 'slow:1' }, clock);
  expect(await selectSamples(querier, request)).toEqual({ '{__name__="up"}': ['1 1'] });
});

test('a failure of one source ends a merge although another stalls for ever', async () => {
  const merged = mergeQueriers([
    tolerant(stalled, 'abort'),
    tolerant(failing(new VeronaError('corrupt', 'bad frame')), 'abort'),
  ]);
  await expect(selectSamples(merged, request)).rejects.toThrow('bad frame');
});

test('cancellation is never a warning', async () => {
  const abort = new AbortController();
  const querier = tolerant(stalled, 'warn');
  const read = async () => {
    for await (const _ of querier.select({ signal: abort.signal }, request));
  };
  setTimeout(() => abort.abort(new VeronaError('canceled', 'the client left')), 10);
  await expect(read()).rejects.toThrow('the client left');
  expect(querier.warnings).toEqual([]);
});
