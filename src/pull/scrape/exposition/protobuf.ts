import { WireReader } from '../../../encoding/protobuf.ts';
import { VeronaError } from '../../../model/errors.ts';
import type { AnyHistogram } from '../../../model/histogram.ts';
import { compactHistogram } from '../../../model/histogram-shape.ts';
import { countBuckets } from '../../../model/histogram-spans.ts';
import { Labels, METRIC_NAME } from '../../../model/labels.ts';
import type { MetricType } from '../../../model/metadata.ts';
import { NORMAL_NAN } from '../../../model/sample.ts';
import { ClassicHistogram } from './classic-histogram.ts';
import { formatOpenMetricsFloat } from './go-float.ts';
import { type MetricMessage, pairsOf, readMetric } from './metric-message.ts';
import { EntryKind, type ExposedExemplar, type ExpositionParser } from './parser.ts';

/** By number of `io.prometheus.client.MetricType`. */
const TYPES: readonly MetricType[] = [
  'counter',
  'gauge',
  'summary',
  'unknown',
  'histogram',
  'gaugehistogram',
];

export interface HistogramOptions {
  /** Take native histograms; else their classic buckets only. */
  readonly native: boolean;
  /** Take the classic buckets of native histograms, too, and of converted ones. */
  readonly keepClassic: boolean;
  /** Make native histograms of classic ones. */
  readonly convertClassic: boolean;
  /** Of OpenMetrics text: `_created` says when series began, and is no series itself. */
  readonly startTimes?: boolean;
}

interface Family {
  name: string;
  help: string;
  unit: string;
  type: number;
  /** The messages of its metrics. */
  readonly metrics: WireReader[];
}

/** A sample made of a part of a metric. */
interface Part {
  readonly suffix: string;
  /** `le` or `quantile`. */
  readonly magic?: readonly [string, number];
  readonly value: number;
  readonly exemplars?: readonly ExposedExemplar[];
  readonly histogram?: AnyHistogram;
}

const NO_EXEMPLARS: readonly ExposedExemplar[] = [];

/**
 * A stream of `io.prometheus.client.MetricFamily`, each with its size as a varint in front. Summaries and classic
 * histograms come as the samples that the text formats have, native ones as histograms without empty buckets.
 */
export class ProtobufExposition implements ExpositionParser {
  readonly #bytes: Uint8Array;
  readonly #options: HistogramOptions;
  #at = 0;
  #family: Family = { name: '', help: '', unit: '', type: 0, metrics: [] };
  /** Entries about the family that are still to come. */
  #headings: EntryKind[] = [];
  #metricIndex = 0;
  #metric: MetricMessage | undefined;
  #parts: Part[] = [];
  #partIndex = 0;
  duplicateLabel: string | undefined;
  emptyLabels: readonly string[] = [];

  constructor(bytes: Uint8Array, options: HistogramOptions) {
    this.#bytes = bytes;
    this.#options = options;
  }

  next(): EntryKind {
    for (;;) {
      const heading = this.#headings.shift();
      if (heading !== undefined) return heading;
      if (++this.#partIndex < this.#parts.length) return this.#kind();
      if (this.#metricIndex < this.#family.metrics.length) {
        this.#readMetric(this.#family.metrics[this.#metricIndex++]);
        if (this.#parts.length > 0) return this.#kind();
      } else if (this.#at < this.#bytes.length) this.#readFamily();
      else return EntryKind.end;
    }
  }

  #kind(): EntryKind {
    return this.#part.histogram === undefined ? EntryKind.series : EntryKind.histogram;
  }

  get #part(): Part {
    return this.#parts[this.#partIndex];
  }

  get key(): string {
    const { suffix, magic } = this.#part;
    const labels = (this.#metric as MetricMessage).labelKey;
    return `${this.#family.name}\0${suffix}\0${magic?.[1] ?? ''}\0${labels}`;
  }

  get value(): number {
    const { value } = this.#part;
    return Number.isNaN(value) ? NORMAL_NAN : value;
  }

  get histogram(): AnyHistogram | undefined {
    return this.#part.histogram;
  }

  get t(): number {
    const { timestampMs } = this.#metric as MetricMessage;
    return timestampMs === 0 ? Number.NaN : timestampMs;
  }

  get startT(): number {
    return (this.#metric as MetricMessage).startT;
  }

  labels(): Labels {
    const { suffix, magic } = this.#part;
    const pairs = pairsOf((this.#metric as MetricMessage).labels);
    pairs.push([METRIC_NAME, this.#family.name + suffix]);
    if (magic !== undefined) pairs.push([magic[0], formatOpenMetricsFloat(magic[1])]);
    this.emptyLabels = pairs.filter(([, value]) => value === '').map(([name]) => name);
    const names = pairs.map(([name]) => name);
    this.duplicateLabel = names.find((name, i) => names.indexOf(name) !== i);
    return Labels.from(pairs);
  }

  exemplars(): readonly ExposedExemplar[] {
    return this.#part.exemplars ?? NO_EXEMPLARS;
  }

  get family(): string {
    return this.#family.name;
  }

  get type(): MetricType {
    return TYPES[this.#family.type];
  }

  get help(): string {
    return this.#family.help;
  }

  get unit(): string {
    return this.#family.unit;
  }

  #readFamily(): void {
    // A field without its tag: the length, then the message.
    const length = this.#readLength();
    const start = this.#at;
    if (length > this.#bytes.length - start) fail(`message of ${length} bytes is cut off at ${start}`);
    this.#at += length;
    this.#family = readFamily(new WireReader(this.#bytes, start, this.#at));
    this.#metricIndex = 0;
    this.#parts = [];
    this.#partIndex = 0;
    if (this.#family.metrics.length === 0) return;
    checkFamily(this.#family);
    this.#headings = [EntryKind.help, EntryKind.type];
    if (this.#family.unit !== '') this.#headings.push(EntryKind.unit);
  }

  #readLength(): number {
    const start = this.#at;
    let length = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || factor > 2 ** 28) fail(`bad length of a message at ${start}`);
      this.#at++;
      length += (byte & 127) * factor;
      if (byte < 128) return length;
    }
  }

  #readMetric(message: WireReader): void {
    const metric = readMetric(message);
    this.#metric = metric;
    this.#partIndex = 0;
    const { type } = this;
    if (type === 'summary') this.#parts = summaryParts(metric);
    else if (type === 'histogram' || type === 'gaugehistogram') this.#parts = this.#histogramParts(metric);
    else
      this.#parts = [
        {
          suffix: '',
          value: metric.value,
          exemplars: metric.exemplar && type === 'counter' ? [metric.exemplar] : NO_EXEMPLARS,
        },
      ];
  }

  #histogramParts(metric: MetricMessage): Part[] {
    const { native, keepClassic, convertClassic } = this.#options;
    const isGauge = this.type === 'gaugehistogram';
    if (native && isNative(metric)) {
      const part = nativePart(metric, isGauge, this.#family.name);
      return keepClassic && metric.buckets.length > 0 ? [part, ...classicParts(metric)] : [part];
    }
    if (!convertClassic) return classicParts(metric);
    const converted = convertedPart(metric, isGauge);
    return keepClassic ? [...classicParts(metric), converted] : [converted];
  }
}

function readFamily(reader: WireReader): Family {
  const family: Family = { name: '', help: '', unit: '', type: 0, metrics: [] };
  while (reader.next()) {
    if (reader.field === 1) family.name = reader.string();
    else if (reader.field === 2) family.help = reader.string();
    else if (reader.field === 3) family.type = reader.int();
    else if (reader.field === 4) family.metrics.push(reader.message());
    else if (reader.field === 5) family.unit = reader.string();
  }
  return family;
}

function checkFamily({ name, type }: Family): void {
  if (name === '') fail('invalid metric name: ""');
  if (TYPES[type] === undefined) fail(`unknown metric type for metric ${JSON.stringify(name)}: ${type}`);
}

function summaryParts(metric: MetricMessage): Part[] {
  return [
    { suffix: '_count', value: metric.count },
    { suffix: '_sum', value: metric.sum },
    ...metric.quantiles.map(
      ({ quantile, value }): Part => ({ suffix: '', magic: ['quantile', quantile], value }),
    ),
  ];
}

/** Up to the bucket of +Inf, which is added when it is not sent. */
function classicParts(metric: MetricMessage): Part[] {
  const count = metric.countFloat || metric.count;
  const parts: Part[] = [
    { suffix: '_count', value: count },
    { suffix: '_sum', value: metric.sum },
  ];
  for (const { upperBound, exemplar, ...bucket } of metric.buckets) {
    parts.push({
      suffix: '_bucket',
      magic: ['le', upperBound],
      value: bucket.countFloat || bucket.count,
      exemplars: exemplar && [exemplar],
    });
    if (upperBound === Number.POSITIVE_INFINITY) return parts;
  }
  parts.push({ suffix: '_bucket', magic: ['le', Number.POSITIVE_INFINITY], value: count });
  return parts;
}

/** As Prometheus tells them apart: a native one that is empty has a span of no length. */
function isNative({ positive, negative, zeroThreshold, zeroCount }: MetricMessage): boolean {
  return positive.spans.length > 0 || negative.spans.length > 0 || zeroThreshold > 0 || zeroCount > 0;
}

function nativePart(metric: MetricMessage, isGauge: boolean, name: string): Part {
  const isFloat = metric.countFloat > 0 || metric.zeroCountFloat > 0;
  const { positive, negative } = metric;
  const buckets = ({ deltas, counts }: MetricMessage['positive']) => (isFloat ? counts : deltas);
  for (const side of [positive, negative])
    if (countBuckets(side.spans) !== buckets(side).length)
      fail(
        `histogram ${JSON.stringify(name)}: spans require ${countBuckets(side.spans)} buckets, have ${buckets(side).length} buckets`,
      );
  const histogram = compactHistogram<AnyHistogram>({
    kind: isFloat ? 'float' : 'integer',
    counterResetHint: isGauge ? 'gauge' : 'unknown',
    schema: metric.schema,
    zeroThreshold: metric.zeroThreshold,
    zeroCount: isFloat ? metric.zeroCountFloat : metric.zeroCount,
    count: isFloat ? metric.countFloat : metric.count,
    sum: metric.sum,
    positiveSpans: positive.spans,
    negativeSpans: negative.spans,
    positiveBuckets: buckets(positive),
    negativeBuckets: buckets(negative),
    customValues: [],
  });
  const exemplars = metric.exemplars.length > 0 ? metric.exemplars : bucketExemplars(metric);
  return { suffix: '', value: 0, histogram, exemplars };
}

/** Those with a timestamp. */
function bucketExemplars({ buckets }: MetricMessage): ExposedExemplar[] {
  return buckets.flatMap(({ exemplar }) => (exemplar?.t === undefined ? [] : [exemplar]));
}

function convertedPart(metric: MetricMessage, isGauge: boolean): Part {
  const parts = new ClassicHistogram();
  parts.setCount(metric.countFloat || metric.count);
  parts.setSum(metric.sum);
  for (const bucket of metric.buckets) parts.setBucket(bucket.upperBound, bucket.countFloat || bucket.count);
  const histogram = parts.convert(isGauge);
  if (histogram === undefined) fail('the buckets of a classic histogram contradict one another');
  return { suffix: '', value: 0, histogram, exemplars: bucketExemplars(metric) };
}

function fail(message: string): never {
  throw new VeronaError('bad_data', `protobuf: ${message}`);
}
