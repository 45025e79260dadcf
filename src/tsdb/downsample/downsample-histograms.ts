import {
  Aggregate,
  type AggregatePart,
  type AggregateParts,
  decodeAggregates,
  encodeAggregates,
} from '../../chunkenc/aggregate-chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { decodeHistogramChunk, HistogramAppender } from '../../chunkenc/histogram-chunk.ts';
import { XorAppender } from '../../chunkenc/xor.ts';
import { VeronaError } from '../../model/errors.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
import { addHistograms } from '../../model/histogram-math.ts';
import { detectReset } from '../../model/histogram-reset.ts';
import { equalNumbers, reduceResolution, usesCustomBuckets } from '../../model/histogram-shape.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { floatsOf } from './downsample-aggregates.ts';
import { partOf } from './float-windows.ts';
import { windowEnd } from './window.ts';

export interface HistogramSample {
  /** ms. */
  readonly t: number;
  readonly h: FloatHistogram;
}

/** Windows of one chunk: histograms take more room than floats. */
const WINDOWS_MAX = 60;

/** What is known of one window. */
interface Window {
  readonly t: number;
  readonly count: number;
  readonly sum: FloatHistogram;
  /** The newest raw histogram. */
  readonly last: FloatHistogram;
}

/**
 * The raw native histograms of a series as aggregate chunks: counts of samples, sums, and as counter the newest one of each
 * window; no min and max. A chunk ends where the counter was reset, where gauges and counters change, and where custom
 * bounds or the width of the zero bucket do; inside, the lowest resolution holds. So a counter in a chunk only grows, and is raw.
 */
export function downsampleHistograms(
  samples: readonly HistogramSample[],
  resolutionMs: number,
): BlockChunk[] {
  const out: BlockChunk[] = [];
  for (let from = 0; from < samples.length; ) {
    const to = endOfRun(samples, from, resolutionMs);
    out.push(encodeWindows(samples[from], windowsOf(samples.slice(from, to), resolutionMs)));
    from = to;
  }
  return out;
}

/** Aggregate chunks of histograms as ones of a coarser resolution. Throws `corrupt`. */
export function joinHistogramChunks(chunks: readonly BlockChunk[], resolutionMs: number): BlockChunk[] {
  const out: BlockChunk[] = [];
  let before: { first: HistogramSample; windows: Window[] } | undefined;
  const close = () => {
    if (before) out.push(encodeWindows(before.first, joinWindows(before.windows, resolutionMs)));
    before = undefined;
  };
  for (const { data } of chunks) {
    const { first, windows } = decodeWindows(decodeAggregates(data));
    if (!first || windows.length === 0) continue;
    if (before && !goesOn(before.windows.at(-1)!.last, first.h)) close();
    if (before && before.windows.length + windows.length > WINDOWS_MAX * 12) close();
    before ??= { first, windows: [] };
    before.windows.push(...windows);
  }
  close();
  return out;
}

/**
 * Aggregate chunks of histograms of the same time, which have no raw sample in common, as one; as they are when a window of one
 * cannot be added to that of another. Throws `corrupt`.
 */
export function addHistogramChunks(chunks: readonly BlockChunk[]): readonly BlockChunk[] {
  const all = chunks.map(({ data }) => decodeWindows(decodeAggregates(data)));
  const windows = all.flatMap((one) => one.windows).sort((a, b) => a.t - b.t);
  const firsts = all.flatMap(({ first }) => first ?? []).sort((a, b) => a.t - b.t);
  if (firsts.length === 0 || firsts.some(({ h }) => !areAlike(firsts[0].h, h))) return chunks;
  return [encodeWindows(firsts[0], joinWindows(windows, 1))];
}

function endOfRun(samples: readonly HistogramSample[], from: number, resolutionMs: number): number {
  const end = windowEnd(samples[from].t, resolutionMs) + (WINDOWS_MAX - 1) * resolutionMs;
  let to = from + 1;
  while (to < samples.length && samples[to].t <= end && goesOn(samples[to - 1].h, samples[to].h)) to++;
  return to;
}

/** Whether two histograms may share a chunk. */
function goesOn(before: FloatHistogram, next: FloatHistogram): boolean {
  return (
    areAlike(before, next) && (next.counterResetHint === 'gauge' || !detectReset(unhinted(next), before))
  );
}

/** Both gauges or both counters, with the same custom bounds or none, and the same zero bucket: a chunk has one of each. */
function areAlike(a: FloatHistogram, b: FloatHistogram): boolean {
  if (a.zeroThreshold !== b.zeroThreshold) return false;
  if ((a.counterResetHint === 'gauge') !== (b.counterResetHint === 'gauge')) return false;
  if (usesCustomBuckets(a) !== usesCustomBuckets(b)) return false;
  return !usesCustomBuckets(a) || equalNumbers(a.customValues, b.customValues);
}

function windowsOf(samples: readonly HistogramSample[], resolutionMs: number): Window[] {
  const schema = Math.min(...samples.map(({ h }) => h.schema));
  const last = samples[samples.length - 1].t;
  const windows: Window[] = [];
  for (let i = 0; i < samples.length; ) {
    const end = Math.min(windowEnd(samples[i].t, resolutionMs), last);
    let sum: FloatHistogram | undefined;
    let count = 0;
    let newest = samples[i].h;
    for (; i < samples.length && samples[i].t <= end; i++, count++) {
      newest = coarse(samples[i].h, schema);
      sum = sum ? add(sum, newest) : newest;
    }
    windows.push({ t: end, count, sum: sum as FloatHistogram, last: newest });
  }
  return windows;
}

function joinWindows(windows: readonly Window[], resolutionMs: number): Window[] {
  const schema = Math.min(...windows.map(({ last }) => last.schema));
  const end = windows[windows.length - 1].t;
  const joined: Window[] = [];
  for (const { t, count, sum, last } of windows) {
    const to = Math.min(windowEnd(t, resolutionMs), end);
    const before = joined.at(-1);
    const newest = coarse(last, schema);
    if (before?.t === to)
      joined[joined.length - 1] = {
        t: to,
        count: before.count + count,
        sum: add(before.sum, coarse(sum, schema)),
        last: newest,
      };
    else joined.push({ t: to, count, sum: coarse(sum, schema), last: newest });
  }
  return joined;
}

function encodeWindows(first: HistogramSample, windows: readonly Window[]): BlockChunk {
  const count = new XorAppender();
  const isGauge = first.h.counterResetHint === 'gauge';
  const sums: HistogramSample[] = [];
  for (const window of windows) {
    count.append(window.t, window.count);
    sums.push({ t: window.t, h: { ...window.sum, counterResetHint: 'gauge' } });
  }
  const schema = windows[0].last.schema;
  const counters = windows.map(({ t, last }): HistogramSample => ({ t, h: unhinted(last) }));
  const start = { t: first.t, h: unhinted(coarse(first.h, schema)) };
  const parts: (AggregatePart | undefined)[] = [];
  parts[Aggregate.count] = partOf(count);
  parts[Aggregate.sum] = encodeHistograms(sums);
  // The first raw one, then one per window; the last of these is raw too.
  if (!isGauge)
    parts[Aggregate.counter] = encodeHistograms(start.t < counters[0].t ? [start, ...counters] : counters);
  return {
    mint: windows[0].t,
    maxt: windows[windows.length - 1].t,
    encoding: ChunkEncoding.aggregate,
    data: encodeAggregates(parts),
  };
}

function encodeHistograms(samples: readonly HistogramSample[]): AggregatePart {
  const appender = HistogramAppender.float();
  for (const { t, h } of samples) {
    if (appender.append(t, h) !== 'new_chunk') continue;
    if (h.counterResetHint === 'gauge')
      throw new VeronaError('corrupt', `histograms of one aggregate chunk cannot share a chunk at ${t}`);
    // What one rule calls a reset and the other does not, such as a bucket that vanished: as a gauge anything goes.
    return encodeHistograms(
      samples.map((sample) => ({ t: sample.t, h: { ...sample.h, counterResetHint: 'gauge' } })),
    );
  }
  return { encoding: appender.encoding, data: appender.bytes().slice() };
}

function decodeWindows(parts: AggregateParts): { first: HistogramSample | undefined; windows: Window[] } {
  const counts = floatsOf(parts, Aggregate.count);
  const sums = histogramsOf(parts, Aggregate.sum);
  const counters = histogramsOf(parts, Aggregate.counter);
  const isGauge = counters.length === 0;
  const byTime = new Map((isGauge ? sums : counters).map(({ t, h }) => [t, h]));
  const windows = sums.map(({ t, h }, i): Window => {
    const last = byTime.get(t) ?? h;
    return { t, count: counts.values[i] ?? 0, sum: h, last: isGauge ? h : unhinted(last) };
  });
  const first = isGauge ? sums[0] : counters[0] && { t: counters[0].t, h: unhinted(counters[0].h) };
  return { first, windows };
}

/** One aggregate of a chunk of histograms; empty when it is absent. Throws `corrupt`. */
export function histogramsOf(parts: AggregateParts, aggregate: Aggregate): HistogramSample[] {
  const part = parts[aggregate];
  if (part?.encoding !== ChunkEncoding.floatHistogram) return [];
  const { timestamps, histograms } = decodeHistogramChunk(part.encoding, part.data, 0, part.data.length);
  return histograms.map((h, i) => ({ t: timestamps[i], h: h as FloatHistogram }));
}

function add(a: FloatHistogram, b: FloatHistogram): FloatHistogram {
  return addHistograms(unhinted(a), unhinted(b)).histogram;
}

/** Custom buckets have no resolution to lower. */
function coarse(histogram: FloatHistogram, schema: number): FloatHistogram {
  return usesCustomBuckets(histogram) || histogram.schema <= schema
    ? histogram
    : reduceResolution(histogram, schema);
}

function unhinted(histogram: FloatHistogram): FloatHistogram {
  return histogram.counterResetHint === 'gauge' ? histogram : { ...histogram, counterResetHint: 'unknown' };
}
