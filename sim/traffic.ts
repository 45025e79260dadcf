import { snappyCompress } from '../src/encoding/snappy.ts';
import type { Histogram } from '../src/model/histogram.ts';
import { Labels } from '../src/model/labels.ts';
import type { HttpResponse } from '../src/platform/http.ts';
import type { Random } from '../src/platform/random.ts';
import { encodeWriteRequest } from '../src/proto/remote-write.ts';
import { encodeWriteRequestV2 } from '../src/proto/remote-write-v2.ts';
import type { TimeSeries } from '../src/proto/time-series.ts';
import type { SampleId } from './model.ts';
import type { Plan } from './plan.ts';

/** Refusals are told one by one up to ten, and every sample's fate must be known. */
const SAMPLES_MAX = 10;

/** One request as it is sent, perhaps several times. */
export interface WriteOrder {
  readonly tenant: string;
  readonly version: 1 | 2;
  readonly body: Uint8Array;
  readonly samples: readonly SampleId[];
}

interface Source {
  readonly labels: Labels;
  readonly kind: 'float' | 'histogram' | 'mixed';
}

/** What one tenant's clients send: series that come and go, values that are told apart wherever they turn up. */
export class Traffic {
  readonly #tenant: string;
  readonly #plan: Plan;
  readonly #random: Random;
  /** Distinct over all tenants. */
  readonly #nextValue: () => number;
  #generation = 0;
  #sources: Source[] = [];

  constructor(tenant: string, plan: Plan, random: Random, nextValue: () => number) {
    this.#tenant = tenant;
    this.#plan = plan;
    this.#random = random;
    this.#nextValue = nextValue;
    for (let i = 0; i < plan.seriesPerTenant; i++) this.#sources.push(this.#source(i));
  }

  /** All series at time t. */
  scrape(t: number): WriteOrder[] {
    const orders: WriteOrder[] = [];
    for (let at = 0; at < this.#sources.length; at += SAMPLES_MAX) {
      const batch = this.#sources.slice(at, at + SAMPLES_MAX);
      orders.push(this.#order(batch.map((source) => ({ source, t }))));
    }
    return orders;
  }

  /** Some series at times that are past. */
  late(now: number): WriteOrder {
    const count = 1 + Math.floor(this.#random.next() * 5);
    const reach = Math.max(this.#plan.outOfOrderWindowMs, 1_800_000) * 1.2;
    const samples = Array.from({ length: count }, () => {
      const source = this.#any();
      // Half a scrape beside the times of scrapes, sometimes exactly on one.
      const onScrape = this.#random.next() < 0.1;
      const back = Math.floor((this.#random.next() * reach) / this.#plan.scrapeMs) * this.#plan.scrapeMs;
      return { source, t: now - back - (onScrape ? 0 : Math.floor(this.#plan.scrapeMs / 2)) };
    });
    return this.#order(samples.filter(({ source }) => source.kind === 'float'));
  }

  /** A third of the series end, as many others begin. */
  churn(): void {
    this.#generation++;
    this.#sources = this.#sources.map((source, i) => (this.#random.next() < 0.33 ? this.#source(i) : source));
  }

  /** The labels of a series that lives now. */
  anyLabels(): Labels {
    return this.#any().labels;
  }

  #any(): Source {
    return this.#sources[Math.floor(this.#random.next() * this.#sources.length)];
  }

  #source(i: number): Source {
    const kind = i % 6 === 4 ? 'histogram' : i % 6 === 5 ? 'mixed' : 'float';
    const name = kind === 'float' ? 'requests_total' : 'latency_seconds';
    const labels = Labels.from({ __name__: name, pod: `${this.#tenant}-${i}-${this.#generation}`, kind });
    return { labels, kind };
  }

  #order(wanted: readonly { source: Source; t: number }[]): WriteOrder {
    const samples: SampleId[] = [];
    const timeSeries: TimeSeries[] = [];
    for (const { source, t } of wanted) {
      const v = this.#nextValue();
      const isHistogram =
        source.kind === 'histogram' || (source.kind === 'mixed' && this.#random.next() < 0.3);
      const series = { labels: source.labels.flat, exemplars: [] };
      const value = isHistogram ? histogramText(v) : String(v);
      timeSeries.push({
        ...series,
        samples: isHistogram ? [] : [{ t, v, startT: 0 }],
        histograms: isHistogram ? [{ t, histogram: histogramOf(v), startT: 0 }] : [],
      });
      samples.push({ series: source.labels.toString(), t, value });
    }
    const version = this.#random.next() < 0.5 ? 1 : 2;
    const bytes =
      version === 1 ? encodeWriteRequest({ timeSeries, metadata: [] }) : encodeWriteRequestV2({ timeSeries });
    return { tenant: this.#tenant, version, samples, body: snappyCompress(bytes).slice() };
  }
}

/** A histogram whose sum is `v`. */
function histogramOf(v: number): Histogram {
  return {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema: 1,
    zeroThreshold: 0.001,
    zeroCount: v % 7,
    count: (v % 7) + (v % 5) + 3 + (v % 5) + 1,
    sum: v,
    positiveSpans: [
      { offset: v % 3, length: 1 },
      { offset: 2, length: 1 },
    ],
    positiveBuckets: [(v % 5) + 3, -2],
    negativeSpans: [],
    negativeBuckets: [],
    customValues: [],
  };
}

function histogramText(v: number): string {
  return `histogram ${histogramOf(v).count} ${v}`;
}

/** The samples that an answer of 400 names as refused. */
export function refusedIn({ body }: HttpResponse): Set<string> {
  const refused = new Set<string>();
  for (const [, series, t] of String(body).matchAll(/series (\{.*?\}), timestamp (-?\d+)/g))
    refused.add(`${series} ${t}`);
  return refused;
}

/** Series and texts of values of an answer to a query for all samples; throws when one comes twice. */
export function parseAnswer(text: string): {
  readonly series: Map<string, Map<number, string>>;
  readonly warnings: readonly string[];
} {
  const answer = JSON.parse(text) as {
    warnings?: string[];
    data: {
      result: {
        metric: Record<string, string>;
        values?: [number, string][];
        histograms?: [number, { count: string; sum: string }][];
      }[];
    };
  };
  const series = new Map<string, Map<number, string>>();
  for (const { metric, values = [], histograms = [] } of answer.data.result) {
    const name = Labels.from(metric).toString();
    if (series.has(name)) throw new Error(`answered twice: ${name}`);
    const samples = new Map<number, string>();
    const add = (seconds: number, value: string) => {
      const t = Math.round(seconds * 1000);
      if (samples.has(t)) throw new Error(`answered twice: ${name} at ${t}`);
      samples.set(t, value);
    };
    for (const [seconds, value] of values) add(seconds, value);
    for (const [seconds, { count, sum }] of histograms) add(seconds, `histogram ${count} ${sum}`);
    series.set(name, samples);
  }
  return { series, warnings: answer.warnings ?? [] };
}
