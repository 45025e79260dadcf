import { expect, test } from 'vitest';
import { BatchDecoder } from '../../chunkenc/batch-decoder.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { HistogramAppender } from '../../chunkenc/histogram-chunk.ts';
import { XorAppender } from '../../chunkenc/xor.ts';
import { Xor2Appender } from '../../chunkenc/xor2.ts';
import { encodeLabels } from '../../encoding/label-bytes.ts';
import { QueryKernel } from '../../kernel/query-kernel.ts';
import type { Histogram } from '../../model/histogram.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { Block } from './block.ts';
import { BlockWriter } from './block-writer.ts';
import { writeTombstones } from './tombstones.ts';
import { verifyBlock } from './verify-block.ts';

const ULID = '01HF7WTK10R3H52KGNW7N1SZDZ';

function histogram(count: number): Histogram {
  return {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count,
    sum: count,
    positiveSpans: [{ offset: 0, length: 1 }],
    negativeSpans: [],
    customValues: [],
    positiveBuckets: [count],
    negativeBuckets: [],
  };
}

/** A block as Prometheus 3 writes it when told to keep start timestamps: a classic chunk, then those with start times. */
async function blockWithStartTimes(disk: MemoryDisk): Promise<Block> {
  await disk.makeDir('data/wal');
  const writer = await BlockWriter.create({ disk, dir: 'data', ulid: ULID });
  const xor = new XorAppender();
  for (let t = 0; t < 50; t += 10) xor.append(t, t);
  const xor2 = new Xor2Appender();
  for (let t = 50; t < 100; t += 10) xor2.append(t, t, 45);
  const histograms = HistogramAppender.integer(true);
  for (let t = 100; t < 150; t += 10) histograms.append(t, histogram(t), 95);
  const chunks = [
    { appender: xor, mint: 0 },
    { appender: xor2, mint: 50 },
    { appender: histograms, mint: 100 },
  ];
  await writer.addSeries(
    encodeLabels(Labels.from({ __name__: 'a' })),
    chunks.map(({ appender, mint }) => ({
      mint,
      maxt: appender.lastTime,
      encoding: appender.encoding,
      data: appender.bytes().slice(),
    })),
  );
  const meta = await writer.finish({ minTime: 0, maxTime: 150, compaction: { level: 1, sources: [ULID] } });
  expect(meta.stats).toMatchObject({ numSamples: 15, numFloatSamples: 10, numHistogramSamples: 5 });
  return Block.open(disk, `data/${ULID}`, new PageCache(1 << 20));
}

async function read(block: Block) {
  const querier = await block.querier(0, 200);
  const decoder = new BatchDecoder(new QueryKernel());
  const { signal } = new AbortController();
  const matchers = [new Matcher('=', '__name__', 'a')];
  for await (const batch of querier.select({ signal }, { matchers, mint: 0, maxt: 200, sorted: true })) {
    decoder.open(batch);
    const floats = decoder.floats(0, 0, 200, true);
    const { timestamps, histograms } = decoder.histograms(0, 0, 200);
    return {
      kind: decoder.kind(0),
      encodings: [...batch.chunkEncoding],
      floats: Array.from(floats.timestamps.slice(0, floats.count), (t, i) => [t, floats.values[i]]),
      histograms: Array.from(timestamps, (t, i) => [t, histograms[i].count]),
      floatStarts: decoder.startTimes(0, 0, 200, 'float'),
      histogramStarts: decoder.startTimes(0, 0, 200, 'histogram'),
    };
  }
  throw new Error('no series');
}

const times = (from: number, to: number) => Array.from({ length: (to - from) / 10 }, (_, i) => from + 10 * i);

test('a block with start timestamps is verified, and answers with them', async () => {
  const block = await blockWithStartTimes(new MemoryDisk());
  expect(await verifyBlock(block)).toMatchObject({ findingCount: 0, samples: 15 });
  expect(await read(block)).toEqual({
    kind: 'mixed',
    encodings: [ChunkEncoding.xor, ChunkEncoding.xor2, ChunkEncoding.histogramST],
    floats: times(0, 100).map((t) => [t, t]),
    histograms: times(100, 150).map((t) => [t, t]),
    floatStarts: new Map(times(0, 100).map((t) => [t, t < 50 ? 0 : 45])),
    histogramStarts: new Map(times(100, 150).map((t) => [t, 95])),
  });
});

test('deleted samples are cut out of it, the start timestamps of the others stay', async () => {
  const disk = new MemoryDisk();
  let block = await blockWithStartTimes(disk);
  const [ref] = block.index.postings([]);
  await block.close();
  await writeTombstones(disk, `data/${ULID}`, new Map([[ref, [{ mint: 70, maxt: 120 }]]]));
  block = await Block.open(disk, `data/${ULID}`, new PageCache(1 << 20));
  const found = await read(block);
  const kept = (t: number) => t < 70 || t > 120;
  expect(found.floats).toEqual(
    times(0, 100)
      .filter(kept)
      .map((t) => [t, t]),
  );
  expect(found.histograms).toEqual(
    times(100, 150)
      .filter(kept)
      .map((t) => [t, t]),
  );
  expect(found.histogramStarts).toEqual(new Map(times(130, 150).map((t) => [t, 95])));
  expect(found.floatStarts?.get(60)).toBe(45);
});
