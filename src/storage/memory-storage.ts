import { HistogramAppender } from '../chunkenc/histogram-chunk.ts';
import { XorAppender } from '../chunkenc/xor.ts';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { VeronaError } from '../model/errors.ts';
import type { Exemplar } from '../model/exemplar.ts';
import type { AnyHistogram } from '../model/histogram.ts';
import { validateHistogram } from '../model/histogram-validate.ts';
import { compareLabels, compareStrings, type Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Metadata } from '../model/metadata.ts';
import type { Appender, AppendOutcome } from './appender.ts';
import { BatchBuilder } from './batch-builder.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  Queryable,
  ReadContext,
  SelectRequest,
} from './querier.ts';
import type { SeriesBatch } from './series-batch.ts';

/** Samples of one series in order of time: bits of a float, or a histogram. */
interface MemorySample {
  readonly t: number;
  readonly value: Float64Array | AnyHistogram;
  /** ms; 0 when unknown. */
  readonly startT: number;
}

interface MemorySeries {
  readonly labels: Labels;
  readonly samples: MemorySample[];
  readonly exemplars: Exemplar[];
}

const CHUNK_SAMPLES = 120;

/** Everything in memory, nothing durable: for tests and for evaluating scripts. Samples come in order of time per series. */
export class MemoryStorage implements Queryable {
  readonly #series = new Map<string, MemorySeries>();
  readonly metadata = new Map<string, Metadata>();

  get seriesCount(): number {
    return this.#series.size;
  }

  appender(): Appender {
    return new MemoryAppender(this.#series, this.metadata);
  }

  async querier(mint: number, maxt: number): Promise<Querier> {
    return new MemoryQuerier([...this.#series.values()].map(snapshot), mint, maxt);
  }

  clear(): void {
    this.#series.clear();
    this.metadata.clear();
  }
}

/** A copy of the lists, so that later commits do not show in a querier. */
function snapshot({ labels, samples, exemplars }: MemorySeries): MemorySeries {
  return { labels, samples: [...samples], exemplars: [...exemplars] };
}

class MemoryAppender implements Appender {
  readonly #committed: Map<string, MemorySeries>;
  readonly #metadata: Map<string, Metadata>;
  #pending = new Map<string, MemorySeries>();
  #pendingMetadata = new Map<string, Metadata>();

  constructor(committed: Map<string, MemorySeries>, metadata: Map<string, Metadata>) {
    this.#committed = committed;
    this.#metadata = metadata;
  }

  append(labels: Labels, t: number, v: number, startT = 0): AppendOutcome {
    return this.#append(labels, { t, value: Float64Array.of(v), startT });
  }

  appendHistogram(labels: Labels, t: number, histogram: AnyHistogram, startT = 0): AppendOutcome {
    try {
      validateHistogram(histogram);
    } catch (error) {
      if (error instanceof VeronaError) return 'invalid_histogram';
      throw error;
    }
    return this.#append(labels, { t, value: histogram, startT });
  }

  appendExemplar(labels: Labels, exemplar: Exemplar): AppendOutcome {
    if (labels.size === 0) return 'invalid_labels';
    this.#pendingSeries(labels).exemplars.push(exemplar);
    return 'ok';
  }

  setMetadata(labels: Labels, metadata: Metadata): void {
    this.#pendingMetadata.set(labels.get('__name__'), metadata);
  }

  async commit(): Promise<void> {
    for (const [key, { labels, samples, exemplars }] of this.#pending) {
      const series = this.#committed.get(key) ?? { labels, samples: [], exemplars: [] };
      this.#committed.set(key, series);
      series.samples.push(...samples);
      series.exemplars.push(...exemplars);
    }
    for (const [name, metadata] of this.#pendingMetadata) this.#metadata.set(name, metadata);
    this.rollback();
  }

  rollback(): void {
    this.#pending = new Map();
    this.#pendingMetadata = new Map();
  }

  #append(labels: Labels, sample: MemorySample): AppendOutcome {
    if (labels.size === 0) return 'invalid_labels';
    const pending = this.#pendingSeries(labels);
    const newest = pending.samples.at(-1) ?? this.#committed.get(labels.key())?.samples.at(-1);
    if (newest !== undefined && sample.t <= newest.t) {
      if (sample.t < newest.t) return 'out_of_order';
      return sameValue(sample.value, newest.value) ? 'duplicate' : 'duplicate_value';
    }
    pending.samples.push(sample);
    return 'ok';
  }

  #pendingSeries(labels: Labels): MemorySeries {
    const key = labels.key();
    const series = this.#pending.get(key) ?? { labels, samples: [], exemplars: [] };
    this.#pending.set(key, series);
    return series;
  }
}

function sameValue(a: Float64Array | AnyHistogram, b: Float64Array | AnyHistogram): boolean {
  if (a instanceof Float64Array && b instanceof Float64Array) return Object.is(a[0], b[0]);
  return JSON.stringify(a) === JSON.stringify(b);
}

class MemoryQuerier implements Querier {
  readonly #series: readonly MemorySeries[];
  readonly #mint: number;
  readonly #maxt: number;
  readonly warnings: readonly string[] = [];

  constructor(series: readonly MemorySeries[], mint: number, maxt: number) {
    this.#series = series.toSorted((a, b) => compareLabels(a.labels, b.labels));
    this.#mint = mint;
    this.#maxt = maxt;
  }

  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    const builder = new BatchBuilder();
    for (const series of this.#matching([request.matchers], request.mint, request.maxt)) {
      ctx.signal.throwIfAborted();
      builder.addSeries(encodeLabels(series.labels));
      if (!request.hints?.labelsOnly) encodeSamples(builder, series.samples, request.mint, request.maxt);
      if (builder.isFull) yield builder.take();
    }
    if (!builder.isEmpty) yield builder.take();
  }

  async labelNames(_ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    const series = this.#matching([request.matchers], request.mint, request.maxt);
    return sortedUnique(
      series.flatMap(({ labels }) => labels.flat.filter((_, i) => i % 2 === 0)),
      request.limit,
    );
  }

  async labelValues(_ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    const series = this.#matching([request.matchers], request.mint, request.maxt);
    return sortedUnique(series.map(({ labels }) => labels.get(name)).filter(Boolean), request.limit);
  }

  async exemplars(
    _ctx: ReadContext,
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]> {
    const inRange = ({ t }: Exemplar) => t >= mint && t <= maxt;
    return this.#series
      .filter(({ labels }) => matcherSets.some((matchers) => matchesAll(labels, matchers)))
      .map(({ labels, exemplars }) => ({
        labels,
        exemplars: exemplars.filter(inRange).sort((a, b) => a.t - b.t),
      }))
      .filter(({ exemplars }) => exemplars.length > 0);
  }

  async close(): Promise<void> {}

  #matching(matcherSets: readonly (readonly Matcher[])[], mint: number, maxt: number): MemorySeries[] {
    return this.#series.filter(
      (series) =>
        matcherSets.some((matchers) => matchesAll(series.labels, matchers)) &&
        this.#samplesIn(series, mint, maxt).length > 0,
    );
  }

  #samplesIn({ samples }: MemorySeries, mint: number, maxt: number): readonly MemorySample[] {
    const from = Math.max(mint, this.#mint);
    const to = Math.min(maxt, this.#maxt);
    return samples.filter(({ t }) => t >= from && t <= to);
  }
}

function matchesAll(labels: Labels, matchers: readonly Matcher[]): boolean {
  return matchers.every((matcher) => matcher.matches(labels.get(matcher.name)));
}

function sortedUnique(texts: readonly string[], limit: number): string[] {
  const sorted = [...new Set(texts)].sort(compareStrings);
  return limit > 0 ? sorted.slice(0, limit) : sorted;
}

type OpenChunk = XorAppender | HistogramAppender<AnyHistogram>;

/**
 * Chunks of at most `CHUNK_SAMPLES`, a new one wherever the kind of sample changes or a histogram does not fit; only
 * those that overlap mint … maxt are given out. All samples are encoded: where a chunk begins decides what a reader
 * is told of counter resets, so it must not depend on the request.
 */
function encodeSamples(
  builder: BatchBuilder,
  samples: readonly MemorySample[],
  requestMint: number,
  requestMaxt: number,
): void {
  let open: OpenChunk | undefined;
  let mint = 0;
  let first = 0;
  const close = (end: number) => {
    if (open && mint <= requestMaxt && open.lastTime >= requestMint)
      builder.addChunk(mint, open.lastTime, open.encoding, open.bytes(), startTimes(samples, first, end));
  };
  for (const [i, { t, value }] of samples.entries()) {
    const kind = value instanceof Float64Array ? 'xor' : value.kind;
    const fits = open !== undefined && kindOf(open) === kind && open.count < CHUNK_SAMPLES;
    if (fits && append(open!, t, value)) continue;
    close(i);
    mint = t;
    first = i;
    open = open !== undefined && kindOf(open) === kind ? successorOf(open) : start(kind);
    append(open, t, value);
  }
  close(samples.length);
}

/** Undefined when none of samples [first … end) has one. */
function startTimes(samples: readonly MemorySample[], first: number, end: number): number[] | undefined {
  const times = samples.slice(first, end).map(({ startT }) => startT);
  return times.some((t) => t !== 0) ? times : undefined;
}

function start(kind: 'xor' | AnyHistogram['kind']): OpenChunk {
  if (kind === 'xor') return new XorAppender();
  const appender = kind === 'integer' ? HistogramAppender.integer() : HistogramAppender.float();
  return appender as unknown as HistogramAppender<AnyHistogram>;
}

function successorOf(open: OpenChunk): OpenChunk {
  return open instanceof XorAppender ? new XorAppender() : open.successor();
}

function kindOf(open: OpenChunk): 'xor' | AnyHistogram['kind'] {
  return open instanceof XorAppender ? 'xor' : open.kind;
}

/** False when a histogram needs a new chunk. */
function append(open: OpenChunk, t: number, value: Float64Array | AnyHistogram): boolean {
  if (open instanceof XorAppender) {
    open.append(t, (value as Float64Array)[0]);
    return true;
  }
  return open.append(t, value as AnyHistogram) !== 'new_chunk';
}
