import { VeronaError } from '../model/errors.ts';
import { EXEMPLAR_LABELS_LENGTH_MAX, type Exemplar } from '../model/exemplar.ts';
import { Labels, METRIC_NAME } from '../model/labels.ts';
import type { Metadata, MetricType } from '../model/metadata.ts';
import { STALE_NAN } from '../model/sample.ts';
import {
  attributeText,
  type ExponentialPoint,
  type HistogramPoint,
  type MetricData,
  type NumberPoint,
  type OtlpExemplar,
  type OtlpMetric,
  type OtlpRequest,
  type Point,
  pointCount,
  type ResourceMetrics,
  type ScopeMetrics,
  type SummaryPoint,
} from '../proto/otlp.ts';
import { toNativeHistogram } from './otlp-histogram.ts';
import { type OtlpLabelOptions, ResourceLabels } from './otlp-labels.ts';
import { type NameKind, Namer, type TranslationStrategy } from './otlp-names.ts';
import type { OtlpSink } from './otlp-sink.ts';

export interface OtlpOptions extends OtlpLabelOptions {
  readonly translationStrategy: TranslationStrategy;
}

/** Some 5 ms of work. */
const POINTS_PER_STEP = 500;

/** `target_info` is repeated at this interval over the time of a request: half of the default lookback. */
const TARGET_INFO_INTERVAL_MS = 150_000;
/** A request that claims to span more than this many intervals gets the latest ones. */
const TARGET_INFO_SAMPLES_MAX = 100;

/**
 * Gives the samples of an OTLP request to `sink`, under the names and labels Prometheus gives them. Points that cannot be
 * translated (delta temporality, impossible histograms and names) are told to the sink and left out. Stops after every
 * `POINTS_PER_STEP` points, so that a large request does not hold up the event loop.
 */
export function* translateOtlp(
  request: OtlpRequest,
  options: OtlpOptions,
  sink: OtlpSink,
): Generator<void, void> {
  const namer = new Namer(options.translationStrategy);
  for (const resource of request.resourceMetrics) {
    try {
      yield* translateResource(resource, new ResourceLabels(resource, namer, options), namer, sink);
    } catch (error) {
      // Only a name in the resource itself ends up here: none of its points has labels.
      const metrics = resource.scopeMetrics.flatMap((scope) => scope.metrics);
      const rest = metrics.reduce((sum, metric) => sum + pointCount(metric), 0);
      sink.reject(reasonOf(error), rest);
    }
  }
}

/** The words of an error about what was sent; throws any other. */
function reasonOf(error: unknown): string {
  if (error instanceof VeronaError && error.code === 'bad_data') return error.message;
  throw error;
}

function* translateResource(
  resource: ResourceMetrics,
  labels: ResourceLabels,
  namer: Namer,
  sink: OtlpSink,
): Generator<void, void> {
  const target = labels.ofTarget();
  const scopes = resource.scopeMetrics.map((scope) => [scope, labels.ofScope(scope)] as const);
  for (const [scope, scopeLabels] of scopes)
    for (const metric of scope.metrics) yield* translateMetric(metric, labels, scopeLabels, namer, sink);
  if (target) addTargetInfo(target, resource.scopeMetrics, sink);
}

function* translateMetric(
  metric: OtlpMetric,
  labels: ResourceLabels,
  scopeLabels: ReadonlyMap<string, string>,
  namer: Namer,
  sink: OtlpSink,
): Generator<void, void> {
  const { data } = metric;
  if (!data) {
    sink.reject(`metric ${JSON.stringify(metric.name)} has no data of a known kind`, 1);
    return;
  }
  try {
    checkTemporality(metric.name, data);
    const name = namer.metricName(metric.name, metric.unit, nameKind(data));
    const metadata = { type: typeOf(data), unit: namer.unitName(metric.unit), help: metric.description };
    const series = new MetricSeries(name, metadata, labels, scopeLabels, sink);
    for (const point of data.points) {
      sink.point(() => addPoint(series, data.kind, point));
      if (sink.points % POINTS_PER_STEP === 0) yield;
    }
  } catch (error) {
    sink.reject(reasonOf(error), data.points.length);
  }
}

function checkTemporality(name: string, data: MetricData): void {
  if (!('temporality' in data) || data.temporality === 'cumulative') return;
  // Gauges in disguise, for which it makes no difference.
  if (data.kind === 'sum' && !data.isMonotonic && data.temporality === 'unspecified') return;
  throw new VeronaError(
    'bad_data',
    `metric ${JSON.stringify(name)} has ${data.temporality} temporality, cumulative is needed`,
  );
}

function nameKind(data: MetricData): NameKind {
  if (data.kind === 'sum') return data.isMonotonic ? 'counter' : 'other';
  return data.kind === 'gauge' ? 'gauge' : 'other';
}

function typeOf(data: MetricData): MetricType {
  switch (data.kind) {
    case 'gauge':
      return 'gauge';
    case 'sum':
      return data.isMonotonic ? 'counter' : 'gauge';
    case 'histogram':
    case 'exponential_histogram':
      return 'histogram';
    case 'summary':
      return 'summary';
  }
}

/** The series that the points of one metric become; its metadata goes along with the first. */
class MetricSeries {
  readonly name: string;
  readonly #metadata: Metadata;
  readonly #labels: ResourceLabels;
  readonly #scopeLabels: ReadonlyMap<string, string>;
  #described = false;
  readonly sink: OtlpSink;

  constructor(
    name: string,
    metadata: Metadata,
    labels: ResourceLabels,
    scopeLabels: ReadonlyMap<string, string>,
    sink: OtlpSink,
  ) {
    this.name = name;
    this.#metadata = metadata;
    this.#labels = labels;
    this.#scopeLabels = scopeLabels;
    this.sink = sink;
  }

  /** Labels of a point, without a name. */
  base(point: Point): Labels {
    return this.#labels.ofPoint(point.attributes, this.#scopeLabels);
  }

  /** The series of a point under the metric's name with `suffix`. */
  labels(base: Labels, suffix = '', extra: Readonly<Record<string, string>> = {}): Labels {
    return base.with({ ...extra, [METRIC_NAME]: `${this.name}${suffix}` });
  }

  add(labels: Labels, point: Point, value: number): void {
    this.sink.float(labels, point.t, point.noRecordedValue ? STALE_NAN : value, point.startT);
    this.describe(labels);
  }

  describe(labels: Labels): void {
    if (this.#described) return;
    this.#described = true;
    this.sink.metadata(labels, this.#metadata, this.name);
  }
}

function addPoint(series: MetricSeries, kind: MetricData['kind'], point: Point): void {
  if (kind === 'gauge') addNumber(series, point as NumberPoint, false);
  else if (kind === 'sum') addNumber(series, point as NumberPoint, true);
  else if (kind === 'histogram') addHistogram(series, point as HistogramPoint);
  else if (kind === 'exponential_histogram') addExponential(series, point as ExponentialPoint);
  else addSummary(series, point as SummaryPoint);
}

function addNumber(series: MetricSeries, point: NumberPoint, withExemplars: boolean): void {
  const labels = series.labels(series.base(point));
  series.add(labels, point, point.value);
  if (withExemplars)
    for (const exemplar of point.exemplars) series.sink.exemplar(labels, toExemplar(exemplar));
}

/** A classic histogram: cumulative `_bucket` series, `_count`, and `_sum` when it was sent. */
function addHistogram(series: MetricSeries, point: HistogramPoint): void {
  const base = series.base(point);
  const { bounds, bucketCounts } = point;
  if (bucketCounts.length > 0 && bucketCounts.length !== bounds.length + 1)
    throw new VeronaError(
      'bad_data',
      `histogram ${JSON.stringify(series.name)} has ${bucketCounts.length} buckets for ${bounds.length} bounds`,
    );
  if (point.sum !== undefined) series.add(series.labels(base, '_sum'), point, point.sum);
  series.add(series.labels(base, '_count'), point, point.count);
  const buckets: { bound: number; labels: Labels }[] = [];
  let cumulative = 0;
  for (let i = 0; i < bounds.length && i < bucketCounts.length; i++) {
    cumulative += bucketCounts[i];
    const labels = series.labels(base, '_bucket', { le: plainNumber(bounds[i]) });
    series.add(labels, point, cumulative);
    buckets.push({ bound: bounds[i], labels });
  }
  const last = series.labels(base, '_bucket', { le: '+Inf' });
  series.add(last, point, point.count);
  for (const exemplar of point.exemplars) {
    const bucket = buckets.find(({ bound }) => exemplar.value <= bound);
    series.sink.exemplar(bucket?.labels ?? last, toExemplar(exemplar));
  }
}

function addExponential(series: MetricSeries, point: ExponentialPoint): void {
  const histogram = toNativeHistogram(point);
  const labels = series.labels(series.base(point));
  series.sink.histogram(labels, point.t, histogram, point.startT);
  series.describe(labels);
  for (const exemplar of point.exemplars) series.sink.exemplar(labels, toExemplar(exemplar));
}

function addSummary(series: MetricSeries, point: SummaryPoint): void {
  const base = series.base(point);
  series.add(series.labels(base, '_sum'), point, point.sum);
  series.add(series.labels(base, '_count'), point, point.count);
  for (const { quantile, value } of point.quantiles)
    series.add(series.labels(base, '', { quantile: plainNumber(quantile) }), point, value);
}

/** Go's `FormatFloat(value, 'f', -1, 64)`: the fewest digits, never an exponent. */
export function plainNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const [mantissa, exponent] = String(value).split('e');
  if (exponent === undefined) return Object.is(value, -0) ? '-0' : mantissa;
  const sign = mantissa.startsWith('-') ? '-' : '';
  const [whole, fraction = ''] = mantissa.replace('-', '').split('.');
  const shift = Number(exponent);
  if (shift < 0) return `${sign}0.${'0'.repeat(-shift - 1)}${whole}${fraction}`;
  return `${sign}${whole}${fraction.padEnd(shift, '0')}`;
}

/** Trace and span come first; other attributes only if all of it stays within an exemplar's length. */
function toExemplar(sent: OtlpExemplar): Exemplar {
  const ids: [string, string][] = [];
  if (!isZero(sent.traceId)) ids.push(['trace_id', sent.traceId]);
  if (!isZero(sent.spanId)) ids.push(['span_id', sent.spanId]);
  const attributes = sent.attributes.map(([key, value]): [string, string] => [key, attributeText(value)]);
  const all = [...ids, ...attributes];
  const length = all.reduce((sum, [name, value]) => sum + [...name].length + [...value].length, 0);
  return {
    labels: Labels.from(length <= EXEMPLAR_LABELS_LENGTH_MAX ? all : ids),
    value: sent.value,
    t: sent.t,
    hasTimestamp: sent.t !== 0,
  };
}

function isZero(hex: string): boolean {
  return /^0*$/.test(hex);
}

function addTargetInfo(labels: Labels, scopes: readonly ScopeMetrics[], sink: OtlpSink): void {
  let mint = Number.POSITIVE_INFINITY;
  let maxt = Number.NEGATIVE_INFINITY;
  for (const scope of scopes)
    for (const metric of scope.metrics)
      for (const { t } of metric.data?.points ?? []) {
        mint = Math.min(mint, t);
        maxt = Math.max(maxt, t);
      }
  if (mint > maxt) return;
  mint = Math.max(mint, maxt - TARGET_INFO_SAMPLES_MAX * TARGET_INFO_INTERVAL_MS);
  for (let t = mint; t < maxt; t += TARGET_INFO_INTERVAL_MS) sink.targetInfo(labels, t);
  sink.targetInfo(labels, maxt);
}
