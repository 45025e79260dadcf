import { expect, test } from 'vitest';
import { decodeLabels } from '../../encoding/label-bytes.ts';
import { STALE_NAN } from '../../model/sample.ts';
import { oneBucketHistogram } from '../../model/testdata/one-bucket-histogram.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { Block } from '../block/block.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { testUlid, writeTestBlock } from '../compact/testdata/blocks.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import type { AnySample } from '../head/clip-chunk.ts';
import { SeriesEntry } from '../index/index-format.ts';
import { downsampleBlock } from './downsample-block.ts';
import { downsampleSeries } from './downsample-series.ts';
import { FIVE_MINUTES_MS, ONE_HOUR_MS } from './window.ts';

const DAY = 86_400_000;
const T = 1_700_006_400_000;

function every(stepMs: number, value: (i: number) => AnySample['value']): AnySample[] {
  return Array.from({ length: Math.floor((2 * DAY) / stepMs) }, (_, i) => ({
    t: T + i * stepMs,
    value: value(i),
  }));
}

/** Counters with resets, gauges, gaps, markers, histograms, and both in one series. */
const series = {
  '{"a":"counter"}': every(15_000, (i) => i % 4999),
  '{"a":"gauge"}': every(60_000, (i) => Math.sin(i) * 1e6),
  '{"a":"gaps"}': every(30_000, (i) => i).filter((_, i) => i % 700 < 400),
  '{"a":"sparse"}': every(1_700_000, (i) => -i),
  '{"a":"stale"}': every(60_000, (i) => i).flatMap((one, i) =>
    i % 50 === 7 ? [{ t: one.t, value: STALE_NAN }] : [one],
  ),
  '{"a":"histogram"}': every(120_000, (i) => oneBucketHistogram(i % 300)),
  '{"a":"both"}': every(120_000, (i) => (i % 400 < 200 ? i : oneBucketHistogram(i))),
};

/** All chunks of a block by labels. */
async function chunksIn(disk: MemoryDisk, dir: string): Promise<Map<string, BlockChunk[]>> {
  const block = await Block.open(disk, dir, new PageCache(8 << 20));
  const found = new Map<string, BlockChunk[]>();
  const entry = new SeriesEntry();
  for (const ref of block.index.allPostings()) {
    block.index.readSeries(ref, entry);
    const labels = new ByteWriter();
    block.index.appendLabelBytes(entry, labels);
    const chunks = Array.from({ length: entry.chunkCount }, (_, i) => {
      const { encoding, data } = block.chunks.read(entry.chunkRef[i]);
      return { mint: entry.mint[i], maxt: entry.maxt[i], encoding, data: data.slice() };
    });
    found.set(JSON.stringify(decodeLabels(labels.view())), chunks);
  }
  await block.close();
  return found;
}

function readable(chunks: readonly BlockChunk[]) {
  return chunks.map(({ data, ...chunk }) => ({ ...chunk, data: Buffer.from(data).toString('hex') }));
}

test('a block is downsampled to 5m and on to 1h as its series are by the plain way, to the byte', async () => {
  const disk = new MemoryDisk();
  const [raw, five, hour] = [1, 2, 3].map(testUlid);
  await writeTestBlock(disk, 'data', { ulid: raw, minTime: T, maxTime: T + 2 * DAY, series });
  const steps = [
    [raw, five, 0, FIVE_MINUTES_MS],
    [five, hour, FIVE_MINUTES_MS, ONE_HOUR_MS],
  ] as const;
  for (const [ulid, output, inMs, outMs] of steps) {
    const request = { disk, source: `data/${ulid}`, ulid, inMs, outMs, dir: 'data', output };
    const report = await downsampleBlock(request);
    const source = await chunksIn(disk, `data/${ulid}`);
    const made = await chunksIn(disk, `data/${output}`);
    expect([...made.keys()]).toEqual([...source.keys()]);
    expect(made.size).toBe(Object.keys(series).length);
    for (const [labels, chunks] of source)
      expect(readable(made.get(labels) as BlockChunk[])).toEqual(
        readable(downsampleSeries(chunks, inMs, outMs)),
      );
    const { numSamples } = JSON.parse(
      Buffer.from(await disk.readFile(`data/${ulid}/meta.json`)).toString(),
    ).stats;
    expect(report.samplesRead).toBe(numSamples);
  }
});
