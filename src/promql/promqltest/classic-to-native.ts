import { VeronaError } from '../../model/errors.ts';
import { CUSTOM_BUCKETS_SCHEMA, type FloatHistogram } from '../../model/histogram.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import type { LoadedSample, LoadedSeries } from './script.ts';

/** Classic histogram series (`…_bucket`, `…_count`, `…_sum`) as native histograms with custom bounds. Throws `bad_data`. */
export function classicToNative(series: readonly LoadedSeries[]): LoadedSeries[] {
  const metrics = new Map<string, { labels: Labels; byTime: Map<number, Classic> }>();
  for (const { labels, samples } of series) {
    const part = partOf(labels);
    if (part === undefined) continue;
    const base = labels.with({ [METRIC_NAME]: part.name, le: '' });
    const metric = metrics.get(base.key()) ?? { labels: base, byTime: new Map<number, Classic>() };
    metrics.set(base.key(), metric);
    for (const { t, v } of samples) if (v !== undefined) addPart(metric.byTime, t, part, v);
  }
  return [...metrics.values()].map(({ labels, byTime }) => ({ labels, samples: toSamples(labels, byTime) }));
}

interface Classic {
  /** Upper bound → cumulative count. */
  readonly buckets: Map<number, number>;
  count: number | undefined;
  sum: number;
}

type Part =
  | { readonly kind: 'bucket'; readonly name: string; readonly le: number }
  | { readonly kind: 'count' | 'sum'; readonly name: string };

function partOf(labels: Labels): Part | undefined {
  const match = /^(.*)_(bucket|count|sum)$/s.exec(labels.get(METRIC_NAME));
  if (match === null) return undefined;
  const [, name, kind] = match;
  if (kind !== 'bucket') return { kind: kind as 'count' | 'sum', name };
  const text = labels.get('le');
  const le = /^\+?inf$/i.test(text) ? Infinity : text === '' ? Number.NaN : Number(text);
  return Number.isNaN(le) ? undefined : { kind, name, le };
}

function addPart(byTime: Map<number, Classic>, t: number, part: Part, v: number): void {
  const classic = byTime.get(t) ?? { buckets: new Map(), count: undefined, sum: 0 };
  byTime.set(t, classic);
  if (part.kind === 'bucket') classic.buckets.set(part.le, v);
  else classic[part.kind] = v;
}

function toSamples(labels: Labels, byTime: ReadonlyMap<number, Classic>): LoadedSample[] {
  return [...byTime]
    .sort(([a], [b]) => a - b)
    .map(([t, classic]) => ({ t, v: undefined, histogram: toHistogram(labels, classic), startT: undefined }));
}

function toHistogram(labels: Labels, { buckets, count, sum }: Classic): FloatHistogram {
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  const total = count ?? buckets.get(bounds.at(-1) ?? 0) ?? 0;
  if (bounds.at(-1) !== Infinity) bounds.push(Infinity);
  const cumulative = bounds.map((le) => buckets.get(le) ?? total);
  if (cumulative.at(-1) !== total) throw bad(labels, `count ${total} is not that of the last bucket`);
  const positiveBuckets = cumulative.map((value, i) => value - (i === 0 ? 0 : cumulative[i - 1]));
  if (positiveBuckets.some((value) => value < 0)) throw bad(labels, 'bucket counts are not cumulative');
  return {
    kind: 'float',
    counterResetHint: 'unknown',
    schema: CUSTOM_BUCKETS_SCHEMA,
    zeroThreshold: 0,
    zeroCount: 0,
    count: total,
    sum,
    positiveSpans: [{ offset: 0, length: positiveBuckets.length }],
    negativeSpans: [],
    positiveBuckets,
    negativeBuckets: [],
    customValues: bounds.slice(0, -1),
  };
}

function bad(labels: Labels, message: string): VeronaError {
  return new VeronaError('bad_data', `classic histogram ${labels}: ${message}`);
}
