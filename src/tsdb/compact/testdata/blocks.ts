import { decodeLabels, encodeLabels } from '../../../encoding/label-bytes.ts';
import { compareLabels, Labels } from '../../../model/labels.ts';
import type { AnyHistogram } from '../../../model/histogram.ts';
import { Matcher } from '../../../model/matcher.ts';
import type { Disk } from '../../../platform/disk.ts';
import { Block } from '../../block/block.ts';
import { BlockWriter } from '../../block/block-writer.ts';
import type { BlockMeta } from '../../block/meta.ts';
import type { Tombstones } from '../../block/tombstones.ts';
import { PageCache } from '../../chunks/page-cache.ts';
import { type AnySample, decodeSamples, encodeSamples } from '../../head/clip-chunk.ts';
import { chunksOf } from '../../head/complete-slice.ts';
import { FROM_OUT_OF_ORDER } from '../late-blocks.ts';

/** Samples by series: `{"job":"a"}` → time → value. */
export type TestSeries = Readonly<Record<string, readonly AnySample[]>>;

export interface TestBlock {
  readonly ulid: string;
  readonly minTime: number;
  /** Exclusive. */
  readonly maxTime: number;
  readonly series: TestSeries;
  readonly tombstones?: Tombstones;
  readonly thanos?: unknown;
  /** Of late samples, as Prometheus marks it. */
  readonly isLate?: boolean;
}

/** A ULID for tests; ascending with `i`. */
export function testUlid(i: number): string {
  return `01HF0000000000000000${String(i).padStart(6, '0')}`;
}

/** Writes a block below `dir`. Samples ascend. */
export async function writeTestBlock(disk: Disk, dir: string, block: TestBlock): Promise<BlockMeta> {
  const { ulid, minTime, maxTime, thanos } = block;
  const writer = await BlockWriter.create({ disk, dir, ulid });
  const series = Object.entries(block.series)
    .map(([key, samples]) => ({ labels: Labels.from(JSON.parse(key)), samples }))
    .sort((a, b) => compareLabels(a.labels, b.labels));
  for (const { labels, samples } of series)
    await writer.addSeries(
      encodeLabels(labels),
      encodeSamples(samples).map(({ mint, maxt, encoding, bytes }) => ({ mint, maxt, encoding, data: bytes })),
    );
  const hints = block.isLate ? [FROM_OUT_OF_ORDER] : undefined;
  const compaction = { level: 1, sources: [ulid], ...(hints && { hints }) };
  return writer.finish({ minTime, maxTime, compaction, thanos }, block.tombstones);
}

/** Everything in a block: labels as JSON → [time, value] …, and how many chunks. */
export async function readTestBlock(
  disk: Disk,
  dir: string,
): Promise<{ series: Record<string, [number, number | AnyHistogram][]>; chunks: number }> {
  const block = await Block.open(disk, dir, new PageCache(8 << 20));
  const querier = await block.querier(0, 0);
  const everything = { matchers: [new Matcher('!=', 'none', 'x')], mint: -(2 ** 52), maxt: 2 ** 52, sorted: true };
  const series: Record<string, [number, number | AnyHistogram][]> = {};
  let chunks = 0;
  try {
    for await (const batch of querier.select({ signal: new AbortController().signal }, everything))
      for (let i = 0; i < batch.seriesCount; i++) {
        const bytes = batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]);
        const pieces = chunksOf(batch, i);
        chunks += pieces.length;
        series[labelKey(bytes)] = pieces.flatMap((piece) =>
          decodeSamples(piece).map(({ t, value }): [number, number | AnyHistogram] => [t, value]),
        );
      }
  } finally {
    await querier.close();
    await block.close();
  }
  return { series, chunks };
}

function labelKey(bytes: Uint8Array): string {
  const labels = decodeLabels(bytes);
  return JSON.stringify(Object.fromEntries(pairs(labels.flat)));
}

function pairs(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
}
