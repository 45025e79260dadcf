import type { FloatColumns } from '../../chunkenc/xor.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { aggregateRaw } from './float-windows.ts';
import { chunkCount, windowEnd } from './window.ts';

/** Thanos' guess of the distance of raw samples, ms. */
const RAW_DISTANCE_MS = 60_000;

/** The raw samples of a series as aggregate chunks. NaN, stale markers among them, are left out; a window is in one chunk. */
export function downsampleFloats(samples: FloatColumns, resolutionMs: number): BlockChunk[] {
  const { timestamps, values } = withoutNaN(samples);
  const count = timestamps.length;
  if (count === 0) return [];
  const [mint, maxt] = [timestamps[0], timestamps[count - 1]];
  const chunks = chunkCount(mint, maxt, RAW_DISTANCE_MS, resolutionMs, count);
  const batch = Math.trunc(count / chunks) + 1;
  const out: BlockChunk[] = [];
  for (let from = 0; from < count; ) {
    let to = Math.min(from + batch, count);
    const end = windowEnd(timestamps[to - 1], resolutionMs);
    while (to < count && timestamps[to] <= end) to++;
    out.push(aggregateRaw(timestamps, values, from, to, resolutionMs));
    from = to;
  }
  return out;
}

function withoutNaN({ timestamps, values }: FloatColumns): FloatColumns {
  let kept = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) continue;
    timestamps[kept] = timestamps[i];
    values[kept++] = values[i];
  }
  return { timestamps: timestamps.subarray(0, kept), values: values.subarray(0, kept) };
}
