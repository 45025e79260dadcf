import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BatchDecoder } from '../chunkenc/batch-decoder.ts';
import { XorAppender } from '../chunkenc/xor.ts';
import { decodeLabels, encodeLabels } from '../encoding/label-bytes.ts';
import { QueryKernel } from '../kernel/query-kernel.ts';
import { compareLabels, Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { type AcceptanceData, querierAcceptance, selectSamples } from './acceptance.ts';
import { BatchBuilder } from './batch-builder.ts';
import { compareLabelBytes } from './compare-label-bytes.ts';
import { MemoryStorage } from './memory-storage.ts';
import { mergeQueriers } from './merge.ts';
import type { Querier, Queryable } from './querier.ts';
import type { SeriesBatch } from './series-batch.ts';

/** Samples spread over three storages, some in two of them. */
async function openMerged(data: AcceptanceData): Promise<Queryable> {
  const storages = [new MemoryStorage(), new MemoryStorage(), new MemoryStorage()];
  const appenders = storages.map((storage) => storage.appender());
  for (const [i, { labels, t, v }] of data.floats.entries()) {
    appenders[i % 3].append(labels, t, v);
    if (i % 7 === 0) appenders[(i + 1) % 3].append(labels, t, v);
  }
  for (const [i, { labels, t, histogram }] of data.histograms.entries())
    appenders[Math.floor(i / 40) % 3].appendHistogram(labels, t, histogram);
  for (const appender of appenders) await appender.commit();
  return {
    querier: async (mint, maxt) =>
      mergeQueriers(await Promise.all(storages.map((storage) => storage.querier(mint, maxt)))),
  };
}

querierAcceptance('merged storages', openMerged);

const up = Labels.from({ __name__: 'up' });
const request = { matchers: [new Matcher('=', '__name__', 'up')], mint: 0, maxt: 100, sorted: true };
const ctx = { signal: new AbortController().signal };

test('for equal times and ranges the later source wins', async () => {
  const merged = mergeQueriers([await storageWith(1, 10), await storageWith(2, 10)]);
  expect(await selectSamples(merged, request)).toEqual({ '{__name__="up"}': ['10 2'] });
});

test('a single source is handed through', async () => {
  const only = await storageWith(1, 10);
  expect(mergeQueriers([only])).toBe(only);
});

test('an error of one source fails the answer, and all sources are closed', async () => {
  let closed = 0;
  const failing: Querier = {
    ...(await storageWith(1, 10)),
    async *select() {
      yield await Promise.reject(new Error('gone'));
    },
    labelNames: () => Promise.reject(new Error('gone')),
    warnings: ['half of it is missing'],
    close: async () => {
      closed++;
    },
  } as unknown as Querier;
  const merged = mergeQueriers([failing, await storageWith(1, 10), failing]);
  await expect(selectSamples(merged, request)).rejects.toThrow('gone');
  await expect(merged.labelNames(ctx, { ...request, limit: 0 })).rejects.toThrow('gone');
  expect(merged.warnings).toEqual(['half of it is missing']);
  await merged.close();
  expect(closed).toBe(2);
});

test('label bytes order as label sets do', () => {
  const text = fc.oneof(fc.constantFrom('a', 'b', 'ab', '\uffff', '😀', 'é', 'x'.repeat(200)), fc.string());
  const labelSet = fc.dictionary(text, text, { maxKeys: 4 }).map((pairs) => Labels.from(pairs));
  fc.assert(
    fc.property(labelSet, labelSet, (a, b) => {
      const order = compareLabelBytes(encodeLabels(a), encodeLabels(b));
      expect(Math.sign(order)).toBe(Math.sign(compareLabels(a, b)));
    }),
  );
});

test('a batch is full by series or by bytes', () => {
  const builder = new BatchBuilder(2, 1_000);
  builder.addSeries(encodeLabels(up));
  expect(builder.isFull).toBe(false);
  builder.addChunk(1, 1, 1, new Uint8Array(2_000));
  expect(builder.isFull).toBe(true);
  const batch = builder.take();
  expect(batch).toMatchObject({ seriesCount: 1, chunkStarts: Uint32Array.of(0, 1) });
  expect(builder.isEmpty).toBe(true);
  builder.addSeries(encodeLabels(up));
  builder.addSeries(encodeLabels(up));
  expect(builder.isFull).toBe(true);
  const appender = new XorAppender();
  appender.append(5, 5);
  builder.addChunk(5, 5, appender.encoding, appender.bytes());
  expect(builder.take().chunkStarts).toEqual(Uint32Array.of(0, 0, 1));
});

async function storageWith(v: number, t: number): Promise<Querier> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  appender.append(up, t, v);
  await appender.commit();
  return storage.querier(0, 100);
}

test('start timestamps stay with their samples', async () => {
  const withStart = new MemoryStorage();
  const appender = withStart.appender();
  appender.append(up, 20, 2, 15);
  await appender.commit();
  const merged = mergeQueriers([await withStart.querier(0, 100), await storageWith(1, 10)]);
  const batches: SeriesBatch[] = [];
  for await (const batch of merged.select(ctx, request)) batches.push(batch);
  const decoder = new BatchDecoder(new QueryKernel());
  decoder.open(batches[0]);
  expect(decoder.startTimes(0, 0, 100, 'float')).toEqual(
    new Map([
      [10, 0],
      [20, 15],
    ]),
  );
  expect(decoder.startTimes(0, 0, 12, 'float')).toBeUndefined();
  expect(decoder.startTimes(0, 0, 100, 'histogram')).toBeUndefined();
});

interface GivenChunk {
  readonly mint: number;
  readonly maxt: number;
  readonly byte: number;
  readonly starts: readonly number[];
}

interface GivenSeries {
  readonly labels: Labels;
  readonly chunks: readonly GivenChunk[];
}

/** A source that gives its series in batches of two. */
function sourceOf(given: readonly GivenSeries[]): Querier {
  const series = given.toSorted((a, b) => compareLabels(a.labels, b.labels));
  return {
    async *select() {
      const builder = new BatchBuilder(2);
      for (const { labels, chunks } of series) {
        builder.addSeries(encodeLabels(labels));
        for (const { mint, maxt, byte, starts } of chunks)
          builder.addChunk(mint, maxt, 1, Uint8Array.of(0, byte, byte), starts);
        if (builder.isFull) yield builder.take();
      }
      if (!builder.isEmpty) yield builder.take();
    },
    warnings: [],
    close: async () => {},
  } as unknown as Querier;
}

/** Every series and its chunks as text, in their order. */
async function written(querier: Querier): Promise<string[]> {
  const lines: string[] = [];
  for await (const batch of querier.select(ctx, request))
    for (let s = 0; s < batch.seriesCount; s++) {
      lines.push(decodeLabels(batch.labelBytes, batch.labelOffsets[s], batch.labelOffsets[s + 1]).toString());
      for (let c = batch.chunkStarts[s]; c < batch.chunkStarts[s + 1]; c++) {
        const start = batch.chunkDataOffset[c];
        const data = batch.chunkData.subarray(start, start + batch.chunkDataLength[c]);
        const { offsets, values } = batch.startTimes ?? { offsets: [], values: new Float64Array() };
        lines.push(
          chunkText(batch.chunkMint[c], batch.chunkMaxt[c], data, values.slice(offsets[c], offsets[c + 1])),
        );
      }
    }
  return lines;
}

function chunkText(mint: number, maxt: number, data: ArrayLike<number>, starts: ArrayLike<number>): string {
  return `${mint} ${maxt} ${Array.from(data)} ${Array.from(starts)}`;
}

/** The same by sorting everything. */
function plainlyMerged(sources: readonly (readonly GivenSeries[])[]): string[] {
  const bySet = Map.groupBy(sources.flat(), ({ labels }) => labels.key());
  return [...bySet.values()]
    .sort(([a], [b]) => compareLabels(a.labels, b.labels))
    .flatMap((same) => [
      same[0].labels.toString(),
      ...same
        .flatMap(({ chunks }) => chunks)
        .sort((a, b) => a.mint - b.mint || a.maxt - b.maxt)
        .map(({ mint, maxt, byte, starts }) => chunkText(mint, maxt, [0, byte, byte], starts)),
    ]);
}

test('sources of any chunks come out as sorting everything would have them', async () => {
  const chunk = fc
    .tuple(
      fc.integer({ min: 0, max: 9 }),
      fc.integer({ min: 0, max: 3 }),
      fc.nat(255),
      fc.array(fc.nat(9), { maxLength: 1 }),
    )
    .map(([mint, length, byte, starts]) => ({ mint, maxt: mint + length, byte, starts }));
  const chunks = fc
    .array(chunk, { maxLength: 4 })
    .map((list) => list.sort((a, b) => a.mint - b.mint || a.maxt - b.maxt));
  const series = fc.record({
    labels: fc.nat(9).map((i) => Labels.from({ __name__: 'm', i: String(i) })),
    chunks,
  });
  const source = fc.uniqueArray(series, { maxLength: 8, selector: ({ labels }) => labels.key() });
  await fc.assert(
    fc.asyncProperty(fc.array(source, { minLength: 2, maxLength: 5 }), async (sources) => {
      expect(await written(mergeQueriers(sources.map(sourceOf)))).toEqual(plainlyMerged(sources));
    }),
    { numRuns: 300 },
  );
});
