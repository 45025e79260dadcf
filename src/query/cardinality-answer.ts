import { decodeLabels, visitLabels } from '../encoding/label-bytes.ts';
import { VeronaError } from '../model/errors.ts';
import { compareStrings } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import type { Querier, Queryable } from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import type { CardinalityJob } from './jobs.ts';
import { toMatcher } from './label-answers.ts';
import type { Answer } from './thread-protocol.ts';

/** Series looked at by one request. */
const SERIES_MAX = 20_000_000;
/** Label values that are told apart at once. */
const VALUES_MAX = 5_000_000;
/** Bytes of one answer with series. */
const ANSWER_BYTES_MAX = 128 * 1024 * 1024;
const EVERYTHING = new Matcher('=~', '__name__', '.*');
const encoder = new TextEncoder();

/** Values and series by label, as Mimir tells them. Throws `limit` when there are more than one request may count. */
export async function answerCardinality(
  job: CardinalityJob,
  queryable: Queryable,
  signal: AbortSignal,
): Promise<Answer> {
  const querier = await queryable.querier(job.startMs, job.endMs);
  try {
    const counting = new Counting(job, querier, signal);
    if (job.what === 'activeSeries') return parts(await counting.series(), querier);
    const data = job.what === 'labelNames' ? await counting.names() : await counting.values();
    return parts([encoder.encode(JSON.stringify(data))], querier);
  } finally {
    await querier.close();
  }
}

/** What may lack something is not kept by anybody on the way. Mimir's answers have no envelope for warnings. */
function parts(body: readonly Uint8Array[], { warnings }: Querier): Answer {
  const json = { 'content-type': 'application/json' };
  const headers = warnings.length > 0 ? { ...json, 'cache-control': 'no-store' } : json;
  return { status: 200, headers, parts: body };
}

class Counting {
  readonly #job: CardinalityJob;
  readonly #querier: Querier;
  readonly #signal: AbortSignal;
  #series = 0;
  #values = 0;

  constructor(job: CardinalityJob, querier: Querier, signal: AbortSignal) {
    this.#job = job;
    this.#querier = querier;
    this.#signal = signal;
  }

  /** Without a selector indexes tell it, and no series is read. */
  async names() {
    const { matchers, isActive, limit } = this.#job;
    const counts =
      matchers.length === 0 && !isActive ? await this.#listedValues() : await this.#foundValues();
    const items = [...counts]
      .map(([label_name, label_values_count]) => ({ label_name, label_values_count }))
      .sort(
        (a, b) => b.label_values_count - a.label_values_count || compareStrings(a.label_name, b.label_name),
      );
    return {
      label_values_count_total: items.reduce((sum, item) => sum + item.label_values_count, 0),
      label_names_count: items.length,
      cardinality: items.slice(0, limit),
    };
  }

  async values() {
    const { names, limit } = this.#job;
    const byName = new Map(names.map((name) => [name, new Map<string, number>()]));
    await this.#eachLabel((name, value) => {
      const counts = byName.get(name);
      if (counts) this.#count(counts, value);
    });
    const labels = [...byName].map(([label_name, counts]) => valuesOf(label_name, counts, limit));
    return {
      series_count_total: await this.#total(),
      labels: labels.sort(
        (a, b) => b.series_count - a.series_count || compareStrings(a.label_name, b.label_name),
      ),
    };
  }

  /** `{"data":[{…},…]}` in parts. */
  async series(): Promise<Uint8Array[]> {
    const out: Uint8Array[] = [encoder.encode('{"data":[')];
    let bytes = 0;
    for await (const batch of this.#batches(this.#matchers())) {
      const texts: string[] = [];
      for (let i = 0; i < batch.seriesCount; i++)
        texts.push(
          JSON.stringify(decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1])),
        );
      const part = encoder.encode(`${out.length > 1 ? ',' : ''}${texts.join(',')}`);
      bytes += part.length;
      if (bytes > ANSWER_BYTES_MAX)
        throw new VeronaError(
          'too_large',
          `the active series take more than ${ANSWER_BYTES_MAX} bytes; narrow the selector`,
        );
      out.push(part);
    }
    out.push(encoder.encode(']}'));
    return out;
  }

  #matchers(): readonly Matcher[] {
    const { matchers } = this.#job;
    return matchers.length > 0 ? matchers.map(toMatcher) : [EVERYTHING];
  }

  async #listedValues(): Promise<Map<string, number>> {
    const { startMs, endMs } = this.#job;
    const request = { matchers: [], mint: startMs, maxt: endMs, limit: 0 };
    const ctx = { signal: this.#signal };
    const counts = new Map<string, number>();
    for (const name of await this.#querier.labelNames(ctx, request)) {
      const { length } = await this.#querier.labelValues(ctx, name, request);
      this.#noteValues(length);
      if (length > 0) counts.set(name, length);
    }
    return counts;
  }

  async #foundValues(): Promise<Map<string, number>> {
    const found = new Map<string, Map<string, number>>();
    await this.#eachLabel((name, value) => {
      const counts = found.get(name) ?? new Map<string, number>();
      found.set(name, counts);
      this.#count(counts, value);
    });
    return new Map([...found].map(([name, counts]) => [name, counts.size]));
  }

  #count(counts: Map<string, number>, value: string): void {
    const known = counts.get(value);
    if (known === undefined) this.#noteValues(1);
    counts.set(value, (known ?? 0) + 1);
  }

  #noteValues(count: number): void {
    this.#values += count;
    if (this.#values > VALUES_MAX)
      throw new VeronaError('limit', `more than ${VALUES_MAX} label values; narrow the selector or the time`);
  }

  async #eachLabel(visit: (name: string, value: string) => void): Promise<void> {
    for await (const batch of this.#batches(this.#matchers())) {
      const bytes = Buffer.from(
        batch.labelBytes.buffer,
        batch.labelBytes.byteOffset,
        batch.labelBytes.length,
      );
      visitLabels(
        batch.labelBytes,
        0,
        batch.labelOffsets[batch.seriesCount],
        (nameStart, nameEnd, start, end) =>
          visit(bytes.toString('utf8', nameStart, nameEnd), bytes.toString('utf8', start, end)),
      );
    }
  }

  /** All series of the sources, whatever the selector. */
  async #total(): Promise<number> {
    const { seriesTotal, matchers } = this.#job;
    if (seriesTotal !== undefined) return seriesTotal;
    if (matchers.length === 0) return this.#series;
    let total = 0;
    for await (const { seriesCount } of this.#batches([EVERYTHING])) total += seriesCount;
    return total;
  }

  async *#batches(matchers: readonly Matcher[]): AsyncGenerator<SeriesBatch> {
    const { startMs, endMs, headOnly } = this.#job;
    const hints = { func: 'series', labelsOnly: true };
    // One source has each series once; several are joined by their order.
    const request = { matchers, mint: startMs, maxt: endMs, sorted: !headOnly, hints };
    for await (const batch of this.#querier.select({ signal: this.#signal }, request)) {
      this.#signal.throwIfAborted();
      this.#series += batch.seriesCount;
      if (this.#series > SERIES_MAX)
        throw new VeronaError('limit', `more than ${SERIES_MAX} series; narrow the selector or the time`);
      yield batch;
    }
  }
}

function valuesOf(label_name: string, counts: ReadonlyMap<string, number>, limit: number) {
  const cardinality = [...counts]
    .map(([label_value, series_count]) => ({ label_value, series_count }))
    .sort((a, b) => b.series_count - a.series_count || compareStrings(a.label_value, b.label_value));
  return {
    label_name,
    label_values_count: counts.size,
    series_count: cardinality.reduce((sum, { series_count }) => sum + series_count, 0),
    cardinality: cardinality.slice(0, limit),
  };
}
