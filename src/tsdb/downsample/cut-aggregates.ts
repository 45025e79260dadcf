import {
  Aggregate,
  type AggregatePart,
  decodeAggregates,
  encodeAggregates,
} from '../../chunkenc/aggregate-chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { HistogramAppender } from '../../chunkenc/histogram-chunk.ts';
import { XorAppender } from '../../chunkenc/xor.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import type { Interval } from '../block/tombstones.ts';
import { floatsOf } from './downsample-aggregates.ts';
import { histogramsOf } from './downsample-histograms.ts';
import { windowEnd } from './window.ts';

/**
 * Deleted times as times of windows: a window of which any part is deleted goes, since nobody can tell which of its samples
 * were. For chunks of this resolution.
 */
export function windowsOfDeleted(deleted: readonly Interval[], resolutionMs: number): readonly Interval[] {
  return deleted.map(({ mint, maxt }) => ({ mint, maxt: windowEnd(maxt, resolutionMs) }));
}

/**
 * An aggregate chunk without the windows that end in `deleted`; undefined when none is left. Where its last windows go, the
 * counter ends with what it had counted up to then. Throws `corrupt`.
 */
export function cutAggregates(chunk: BlockChunk, deleted: readonly Interval[]): BlockChunk | undefined {
  const isKept = (t: number) => !deleted.some((gap) => t >= gap.mint && t <= gap.maxt);
  const parts = decodeAggregates(chunk.data);
  const times = [...floatsOf(parts, Aggregate.count).timestamps];
  const kept = times.filter(isKept);
  if (kept.length === 0) return undefined;
  const begin = isKept(times[0]) ? Number.NEGATIVE_INFINITY : kept[0];
  const keeps = (t: number) => t >= begin && (isKept(t) || t < times[0]);
  const cut = parts.map((part, aggregate) => part && cutPart(part, aggregate as Aggregate, parts, keeps));
  return {
    mint: kept[0],
    maxt: kept[kept.length - 1],
    encoding: ChunkEncoding.aggregate,
    data: encodeAggregates(cut),
  };
}

function cutPart(
  part: AggregatePart,
  aggregate: Aggregate,
  parts: ReturnType<typeof decodeAggregates>,
  keeps: (t: number) => boolean,
): AggregatePart {
  if (part.encoding !== ChunkEncoding.xor) return cutHistograms(histogramsOf(parts, aggregate), keeps);
  const { timestamps, values } = floatsOf(parts, aggregate);
  const appender = new XorAppender();
  let last = 0;
  for (let i = 0; i < timestamps.length; i++)
    if (keeps(timestamps[i])) {
      appender.appendAgain(timestamps[i], values[i]);
      last = i;
    }
  const endsWithRaw = last > 0 && timestamps[last] === timestamps[last - 1];
  if (aggregate === Aggregate.counter && !endsWithRaw) appender.appendAgain(timestamps[last], values[last]);
  return { encoding: ChunkEncoding.xor, data: appender.bytes().slice() };
}

function cutHistograms(
  samples: ReturnType<typeof histogramsOf>,
  keeps: (t: number) => boolean,
): AggregatePart {
  const appender = HistogramAppender.float();
  // Leaving samples out of what was one chunk leaves one chunk.
  for (const { t, h } of samples) if (keeps(t)) appender.append(t, h);
  return { encoding: appender.encoding, data: appender.bytes().slice() };
}
