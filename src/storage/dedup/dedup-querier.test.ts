import { expect, test } from 'vitest';
import { BatchDecoder } from '../../chunkenc/batch-decoder.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { HistogramAppender } from '../../chunkenc/histogram-chunk.ts';
import { XorAppender } from '../../chunkenc/xor.ts';
import { Xor2Appender } from '../../chunkenc/xor2.ts';
import { decodeLabels, encodeLabels } from '../../encoding/label-bytes.ts';
import { QueryKernel } from '../../kernel/query-kernel.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { querierAcceptance, selectSamples } from '../acceptance.ts';
import { BatchBuilder } from '../batch-builder.ts';
import { MemoryStorage } from '../memory-storage.ts';
import type { Querier, Queryable } from '../querier.ts';
import { type DedupFunction, DedupQuerier, dedupQueryable } from './dedup-querier.ts';

/** Selects that read beyond what the view was opened for fail: elsewhere their answers would lack something in silence. */
function deduplicated(source: MemoryStorage, dedup: DedupFunction = 'fill'): Queryable {
  const strict: Queryable = {
    querier: async (from, to) => {
      const querier = await source.querier(from, to);
      return {
        warnings: [],
        select: (ctx, request) => {
          if (request.mint < from || request.maxt > to) throw new Error('a select reads beyond its view');
          return querier.select(ctx, request);
        },
        labelNames: (ctx, request) => querier.labelNames(ctx, request),
        labelValues: (ctx, name, request) => querier.labelValues(ctx, name, request),
        exemplars: (...request) => querier.exemplars(...request),
        close: () => querier.close(),
      };
    },
  };
  return dedupQueryable(strict, ['replica', 'rule_replica'], dedup);
}

for (const dedup of ['fill', 'penalty', 'chain'] as const)
  querierAcceptance(`a source without replicas, deduplicated by ${dedup}`, async ({ floats, histograms }) => {
    const storage = new MemoryStorage();
    const appender = storage.appender();
    for (const { labels, t, v } of floats) appender.append(labels, t, v);
    for (const { labels, t, histogram } of histograms) appender.appendHistogram(labels, t, histogram);
    await appender.commit();
    return deduplicated(storage, dedup);
  });

querierAcceptance('two replicas with the same samples, deduplicated', async ({ floats, histograms }) => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (const replica of ['a', 'b']) {
    for (const { labels, t, v } of floats) appender.append(labels.with({ replica }), t, v);
    for (const { labels, t, histogram } of histograms)
      appender.appendHistogram(labels.with({ replica }), t, histogram);
  }
  await appender.commit();
  return deduplicated(storage);
});

const MINUTE = 60_000;

async function pair(b: { readonly offset: number; readonly from: number; readonly to: number }) {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  const up = (replica: string) => Labels.from({ __name__: 'up', cluster: 'eu', replica });
  for (let t = 0; t < 120 * MINUTE; t += 15_000) {
    if (t < 40 * MINUTE || t > 80 * MINUTE) appender.append(up('a'), t, t);
    if (t >= b.from && t < b.to) appender.append(up('b'), t + b.offset, t + b.offset);
  }
  await appender.commit();
  return deduplicated(storage);
}

test('two replicas are one series without holes', async () => {
  const source = await pair({ offset: 5000, from: 0, to: 120 * MINUTE });
  const querier = await source.querier(0, 120 * MINUTE);
  const matchers = [new Matcher('=', '__name__', 'up')];
  const selected = await selectSamples(querier, { matchers, mint: 0, maxt: 120 * MINUTE, sorted: true });
  expect(Object.keys(selected)).toEqual(['{__name__="up", cluster="eu"}']);
  const times = selected['{__name__="up", cluster="eu"}'].map((text) => Number(text.split(' ')[0]));
  times.sort((x, y) => x - y);
  for (let i = 1; i < times.length; i++) expect(times[i] - times[i - 1]).toBeLessThan(30_000);
});

test('a select of a part gives the samples that a select of the whole has there', async () => {
  const source = await pair({ offset: 5000, from: 20 * MINUTE, to: 70 * MINUTE });
  const matchers = [new Matcher('=', '__name__', 'up')];
  const read = async (mint: number, maxt: number) => {
    const selected = await selectSamples(await source.querier(mint, maxt), {
      matchers,
      mint,
      maxt,
      sorted: true,
    });
    return Object.values(selected)[0] ?? [];
  };
  const whole = await read(0, 120 * MINUTE);
  for (const [mint, maxt] of [
    [41 * MINUTE, 50 * MINUTE],
    [39 * MINUTE, 41 * MINUTE],
    [65 * MINUTE, 90 * MINUTE],
  ])
    expect(await read(mint, maxt)).toEqual(
      whole.filter((text) => {
        const t = Number(text.split(' ')[0]);
        return t >= mint && t <= maxt;
      }),
    );
});

test('a limit counts series and names as they are without replicas', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (const zone of ['x', 'y'])
    for (const replica of ['a', 'b', 'c'])
      appender.append(Labels.from({ __name__: 'up', replica, rule_replica: '1', zone }), 1000, 1);
  await appender.commit();
  const stored = await storage.querier(0, 2000);
  const limited: Querier = {
    warnings: [],
    // Stops at the limit, as blocks do.
    async *select(ctx, request) {
      const { limit = 100 } = request.hints ?? {};
      let series = 0;
      for await (const batch of stored.select(ctx, request)) {
        series += batch.seriesCount;
        if (series <= limit) yield batch;
      }
    },
    labelNames: (ctx, request) => stored.labelNames(ctx, request),
    labelValues: (ctx, name, request) => stored.labelValues(ctx, name, request),
    exemplars: async () => [],
    close: async () => {},
  };
  const querier = new DedupQuerier(limited, ['replica', 'rule_replica'], 'fill');
  const ctx = { signal: new AbortController().signal };
  const matchers = [new Matcher('=', '__name__', 'up')];
  const hints = { labelsOnly: true, limit: 2 };
  let series = 0;
  for await (const batch of querier.select(ctx, { matchers, mint: 0, maxt: 2000, sorted: true, hints }))
    series += batch.seriesCount;
  expect(series).toBe(2);
  const names = { matchers, mint: 0, maxt: 2000, limit: 2 };
  expect(await querier.labelNames(ctx, names)).toEqual(['__name__', 'zone']);
});

/** A counter that restarts while its first replica is away: 0, 100 … 900, then 0, 10 … */
async function restarted(func: string): Promise<string[]> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (let i = 0; i < 60; i++)
    for (const [replica, offset] of [['a', 0] as const, ['b', 4000] as const]) {
      if (replica === 'a' && i >= 7 && i < 20) continue;
      const value = i < 10 ? i * 100 : (i - 10) * 10;
      appender.append(Labels.from({ __name__: 'n', replica }), i * 15_000 + offset, value);
    }
  await appender.commit();
  const querier = await deduplicated(storage, 'penalty').querier(0, 60 * MINUTE);
  const matchers = [new Matcher('=', '__name__', 'n')];
  // From the fourth sample on: what was counted is summed up from the first.
  const request = { matchers, mint: 3 * 15_000, maxt: 14 * 15_000, sorted: true, hints: { func } };
  const [found] = Object.values(await selectSamples(querier, request));
  return found.toSorted((x, y) => timeOf(x) - timeOf(y));
}

const timeOf = (sample: string) => Number(sample.split(' ')[0]);

test('penalty: what a counter counted is summed up per replica before they are joined, as Thanos does it', async () => {
  const values = (await restarted('rate')).map((text) => text.split(' '));
  // Replica a until its gap, then b where the penalty of two intervals is over, and its restart does not show.
  expect(values).toEqual(
    [
      [45_000, 300],
      [60_000, 400],
      [75_000, 500],
      [90_000, 600],
      [124_000, 800],
      [139_000, 900],
      [154_000, 900],
      [169_000, 910],
      [184_000, 920],
      [199_000, 930],
    ].map(([t, v]) => [String(t), String(v)]),
  );
});

test('penalty: other functions, and resets, see the values of the replicas', async () => {
  for (const func of ['', 'max_over_time', 'resets'])
    expect((await restarted(func)).slice(4, 8), func).toEqual([
      '124000 800',
      '139000 900',
      '154000 0',
      '169000 10',
    ]);
});

test('histograms of two replicas are chosen as the algorithm says', async () => {
  const times: Record<string, number[]> = {};
  for (const dedup of ['fill', 'penalty', 'chain'] as const) {
    const storage = new MemoryStorage();
    const appender = storage.appender();
    for (let i = 0; i < 6; i++)
      for (const [replica, offset] of [['a', 0] as const, ['b', 4000] as const])
        if (replica === 'b' || i < 2)
          appender.appendHistogram(Labels.from({ __name__: 'sizes', replica }), i * 15_000 + offset, EMPTY);
    await appender.commit();
    const querier = await deduplicated(storage, dedup).querier(0, MINUTE);
    const matchers = [new Matcher('=', '__name__', 'sizes')];
    const request = { matchers, mint: 0, maxt: MINUTE, sorted: true };
    const [samples] = Object.values(await selectSamples(querier, request));
    times[dedup] = samples.map(timeOf).sort((x, y) => x - y);
  }
  expect(times.fill).toEqual([0, 15_000, 34_000, 49_000]);
  expect(times.penalty).toEqual([0, 15_000, 49_000]);
  expect(times.chain).toEqual([0, 4000, 15_000, 19_000, 34_000, 49_000]);
});

test('histograms of two replicas fill each other’s gaps', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  const sizes = (replica: string) => Labels.from({ __name__: 'sizes', replica });
  for (let i = 0; i < 40; i++) {
    const histogram = { ...EMPTY, count: i, zeroCount: i };
    if (i < 10 || i > 30) appender.appendHistogram(sizes('a'), i * 15_000, histogram);
    appender.appendHistogram(sizes('b'), i * 15_000 + 4000, histogram);
  }
  await appender.commit();
  const querier = await deduplicated(storage).querier(0, 60 * MINUTE);
  const request = {
    matchers: [new Matcher('=', '__name__', 'sizes')],
    mint: 0,
    maxt: 60 * MINUTE,
    sorted: true,
  };
  const [samples] = Object.values(await selectSamples(querier, request));
  // One scrape lies too close to the seam.
  expect(samples).toHaveLength(39);
});

const EMPTY: AnyHistogram = {
  kind: 'integer',
  counterResetHint: 'unknown',
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: 0,
  count: 0,
  sum: 0,
  positiveSpans: [],
  negativeSpans: [],
  positiveBuckets: [],
  negativeBuckets: [],
  customValues: [],
};

test('start timestamps stay with the chunks of the replica that speaks, and with those of the only one', async () => {
  const histogram: AnyHistogram = {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 1,
    count: 1,
    sum: 0,
    positiveSpans: [],
    negativeSpans: [],
    customValues: [],
    positiveBuckets: [],
    negativeBuckets: [],
  };
  const builder = new BatchBuilder();
  const labels = (name: string, replica: string) =>
    encodeLabels(Labels.from({ __name__: name, cluster: 'eu', replica }));
  for (const replica of ['a', 'b', 'c']) {
    const xor2 = new Xor2Appender();
    const xor = new XorAppender();
    for (let i = 0; i < 10; i++) {
      xor2.append(i * 1000, i, 5);
      xor.append(i * 1000, i);
    }
    builder.addSeries(labels('column', replica));
    builder.addChunk(0, 9000, xor.encoding, xor.bytes().slice(), new Array(10).fill(7));
    if (replica === 'c') continue;
    builder.addSeries(labels('inside', replica));
    builder.addChunk(0, 9000, xor2.encoding, xor2.bytes().slice());
  }
  const batch = builder.take();
  const histograms = new BatchBuilder();
  for (const replica of ['a', 'b']) {
    const chunk = HistogramAppender.encode(ChunkEncoding.histogramST, {
      timestamps: Float64Array.of(1000, 2000),
      histograms: [histogram, histogram],
      startTimes: Float64Array.of(3, 3),
      header: 0,
    });
    histograms.addSeries(labels('sizes', replica));
    histograms.addChunk(1000, 2000, chunk.encoding, chunk.bytes().slice());
  }
  const source: Querier = {
    warnings: [],
    async *select() {
      const order = [0, 2, 4, 1, 3];
      const sorted = new BatchBuilder();
      for (const i of order) {
        sorted.addSeries(batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]));
        sorted.addChunkOf(batch, batch.chunkStarts[i]);
      }
      yield sorted.take();
      yield histograms.take();
    },
    labelNames: async () => [],
    labelValues: async () => [],
    exemplars: async () => [],
    close: async () => {},
  };
  const request = { matchers: [new Matcher('!=', '__name__', '')], mint: 0, maxt: 10_000, sorted: true };
  const decoder = new BatchDecoder(new QueryKernel());
  const found: Record<string, Set<number>> = {};
  const ctx = { signal: new AbortController().signal };
  for await (const out of new DedupQuerier(source, ['replica'], 'fill').select(ctx, request)) {
    decoder.open(out);
    for (let i = 0; i < out.seriesCount; i++) {
      const name = decodeLabels(out.labelBytes, out.labelOffsets[i], out.labelOffsets[i + 1]).get('__name__');
      const kind = decoder.kind(i) === 'histograms' ? 'histogram' : 'float';
      found[name] = new Set(decoder.startTimes(i, 0, 10_000, kind)?.values());
    }
  }
  expect(found).toEqual({ column: new Set([7]), inside: new Set([5]), sizes: new Set([3]) });
});
