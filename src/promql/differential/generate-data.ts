import { Labels } from '../../model/labels.ts';
import { STALE_NAN } from '../../model/sample.ts';
import type { CaseSample, CaseSeries } from './case.ts';
import { type Chance, often, pick, weighted } from './chance.ts';
import { DATA_MINUTES, DATA_START, type Dialect } from './dialect.ts';
import { generateHistograms } from './generate-histograms.ts';

type FloatMetric = (chance: Chance, times: readonly number[]) => number[];

/** Series of the metrics that a dialect asks for: gaps, resets, staleness markers, special values, churn. */
export function generateData(chance: Chance, dialect: Dialect, seriesPerMetric: number): CaseSeries[] {
  const series: CaseSeries[] = [];
  for (const metric of new Set(dialect.metrics))
    for (const labels of labelSets(chance, metric, seriesPerMetric, !dialect.isModern))
      series.push({ labels, samples: started(chance, samplesOf(chance, metric, labels, dialect), dialect) });
  return series.filter(({ samples }) => samples.length > 0);
}

/** Some series say when their counter began: for each interval, since its last reset, or what makes no sense. */
function started(
  chance: Chance,
  samples: readonly CaseSample[],
  { isModern }: Dialect,
): readonly CaseSample[] {
  if (!isModern || !often(chance, 20)) return samples;
  const kind = pick(chance, ['interval', 'reset', 'anything'] as const);
  let since = DATA_START - 10_000;
  return samples.map((sample, i) => {
    const previous = samples[i - 1]?.t ?? since;
    if (often(chance, 10)) since = previous + 1000 * chance.int(0, 5);
    const anything = sample.t - 1000 * chance.int(-5, 200);
    return { ...sample, startT: { interval: previous, reset: since, anything }[kind] };
  });
}

function labelSets(chance: Chance, metric: string, most: number, isPlain: boolean): Labels[] {
  if (metric === 'missing') return [];
  const sets = new Map<string, Labels>();
  const bounds = ['0.1', '0.5', '1', '5', '+Inf'];
  for (let i = chance.int(1, most); i > 0; i--) {
    const own: Record<string, string> = { __name__: metric, job: pick(chance, ['api', 'db', 'api', 'x']) };
    if (often(chance, 70)) own.instance = pick(chance, ['0', '1', '2', '10']);
    if (metric === 'requests_total') own.code = pick(chance, ['200', '404', '500', '']);
    if (metric.endsWith('_info')) own.version = pick(chance, ['1', '2', 'x']);
    if (metric === 'http.requests') own['http.status'] = pick(chance, ['200', 'ü']);
    if (metric === 'flag' && !isPlain) own.__type__ = 'gauge';
    const all = metric === 'latency_bucket' ? bounds.map((le) => ({ ...own, le })) : [own];
    for (const labels of all.map((one) => Labels.from(one))) sets.set(labels.key(), labels);
  }
  return [...sets.values()];
}

function samplesOf(chance: Chance, metric: string, labels: Labels, dialect: Dialect): CaseSample[] {
  const steady = dialect.counters?.includes(metric) === true;
  const times = sampleTimes(chance, steady, dialect.offGrid);
  if (metric === 'h') return generateHistograms(chance, times);
  if (metric === 'mixed') return mixed(chance, times);
  const values = (FLOATS[metric] ?? gauge)(chance, times);
  const samples = times.map((t, i) => floatSample(t, withBucket(values[i], labels)));
  return steady || often(chance, 60) ? samples : withStaleness(chance, samples);
}

/** Steady series begin and end with the data and miss nothing. */
function sampleTimes(chance: Chance, steady: boolean, offGrid: boolean): number[] {
  const interval = pick(chance, [15_000, 30_000, 60_000]);
  const shift = offGrid ? 1000 * chance.int(0, 14) + 137 : pick(chance, [0, 0, 1000 * chance.int(0, 29)]);
  const first = steady || often(chance, 70) ? 0 : chance.int(1, DATA_MINUTES / 2);
  const last = steady || often(chance, 70) ? DATA_MINUTES : chance.int(first + 1, DATA_MINUTES);
  const gaps = steady || often(chance, 50) ? 0 : pick(chance, [5, 20]);
  const times: number[] = [];
  for (let t = first * 60_000 + shift; t <= last * 60_000; t += interval) {
    const jitter = !steady && often(chance, 10) ? 1000 * chance.int(0, 7) : 0;
    if (!often(chance, gaps)) times.push(DATA_START + t + jitter);
  }
  // A long gap, longer than the lookback.
  if (steady || often(chance, 80)) return times;
  const from = DATA_START + 60_000 * chance.int(5, 25);
  return times.filter((t) => t < from || t > from + 8 * 60_000);
}

function floatSample(t: number, v: number): CaseSample {
  return { t, v, histogram: undefined, startT: undefined };
}

/** A bucket counts the observations up to its bound, so the higher ones count more. */
function withBucket(value: number, labels: Labels): number {
  const le = labels.get('le');
  return le === '' ? value : value * ['0.1', '0.5', '1', '5', '+Inf'].indexOf(le) + Math.floor(value / 2);
}

const FLOATS: Readonly<Record<string, FloatMetric>> = {
  requests_total: counter,
  latency_bucket: (_, times) => times.map((_, i) => 1_000_000 + 3 * i),
  flag: (chance, times) => times.map(() => chance.int(0, 1)),
  special: (chance, times) => times.map(() => special(chance)),
  huge: (chance, times) => times.map(() => pick(chance, [1e300, 1e-300, -1e300, 2.3e-308, 1e17, 0.1])),
  target_info: (_, times) => times.map(() => 1),
  build_info: (_, times) => times.map(() => 1),
};

/** Goes up, and begins anew now and then, but not near zero: where counters begin versions extrapolate in different ways. */
function counter(chance: Chance, times: readonly number[]): number[] {
  let value = 1_000_000 + chance.int(0, 1000);
  const resets = often(chance, 60) ? 2 : 0;
  return times.map(() => {
    value = often(chance, resets) ? 1_000_000 : value + chance.int(0, 50);
    return value;
  });
}

/** Multiples of a quarter, so that sums are exact; now and then something that is no number. */
function gauge(chance: Chance, times: readonly number[]): number[] {
  const odd = often(chance, 15) ? 10 : 0;
  return times.map(() => (often(chance, odd) ? special(chance) : chance.int(-40, 80) / 4));
}

function special(chance: Chance): number {
  return pick(chance, [Number.NaN, Infinity, -Infinity, -0, 0, 1, -1, 2.5]);
}

function withStaleness(chance: Chance, samples: readonly CaseSample[]): CaseSample[] {
  return samples.map((sample) => (often(chance, 8) ? floatSample(sample.t, STALE_NAN) : sample));
}

/** Floats and histograms in turns. */
function mixed(chance: Chance, times: readonly number[]): CaseSample[] {
  const histograms = generateHistograms(chance, times);
  let isFloat = often(chance, 50);
  return histograms.map((sample) => {
    if (often(chance, 20)) isFloat = !isFloat;
    // In an array the marker would become just any NaN.
    const v = weighted<number | 'stale'>(chance, [
      [9, chance.int(0, 20)],
      [1, 'stale'],
    ]);
    return isFloat ? floatSample(sample.t, v === 'stale' ? STALE_NAN : v) : sample;
  });
}
