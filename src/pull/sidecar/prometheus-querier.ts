import { encodeLabels } from '../../encoding/label-bytes.ts';
import { snappyDecompress } from '../../encoding/snappy.ts';
import { VeronaError } from '../../model/errors.ts';
import { compareLabels, Labels } from '../../model/labels.ts';
import { selectorText } from '../../model/selector-text.ts';
import { type RawChunkedSeries, readChunkedStream } from '../../proto/chunked-read.ts';
import { readReadResponse } from '../../proto/remote-read.ts';
import { BatchBuilder } from '../../storage/batch-builder.ts';
import { encodeFloats, encodeHistograms } from '../../storage/dedup/encode-samples.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  Queryable,
  ReadContext,
  SelectRequest,
} from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import { canonicalLabels } from '../../storeapi/received-labels.ts';
import { inLabelOrder } from './label-order.ts';
import type { PrometheusClient } from './prometheus-client.ts';

const SAMPLED_BYTES_MAX = 512 * 1024 * 1024;
const TIME_MAX_S = 9_000_000_000_000;

/**
 * The data of a Prometheus as a source. Series of one metric come together, metrics in order; inside a metric the order is
 * that of labels without external ones, which Prometheus adds itself: `label-order.ts` makes it whole where it knows them,
 * else `storage/regroup.ts`, which waits for all series of a metric.
 */
export class PrometheusSource implements Queryable {
  readonly #client: PrometheusClient;
  readonly #mint: () => number;
  readonly #external: () => Labels | undefined;

  /** Nothing before `mint()`, ms, is given. `external()`: its external labels when no series has others of their names. */
  constructor(
    client: PrometheusClient,
    mint: () => number,
    external: () => Labels | undefined = () => undefined,
  ) {
    this.#client = client;
    this.#mint = mint;
    this.#external = external;
  }

  async querier(mint: number, maxt: number): Promise<Querier> {
    return new PrometheusQuerier(this.#client, Math.max(mint, this.#mint()), maxt, this.#external());
  }
}

class PrometheusQuerier implements Querier {
  readonly #client: PrometheusClient;
  readonly #mint: number;
  readonly #maxt: number;
  readonly #warnings = new Set<string>();
  readonly labelled: Labels | undefined;

  constructor(client: PrometheusClient, mint: number, maxt: number, labelled: Labels | undefined) {
    this.#client = client;
    this.#mint = mint;
    this.#maxt = maxt;
    this.labelled = labelled;
  }

  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  select({ signal }: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    const batches = this.#select(request, signal);
    return this.labelled ? inLabelOrder(batches, this.labelled) : batches;
  }

  async *#select(request: SelectRequest, signal: AbortSignal): AsyncGenerator<SeriesBatch> {
    const mint = Math.max(request.mint, this.#mint);
    const maxt = Math.min(request.maxt, this.#maxt);
    if (mint > maxt) return;
    if (request.hints?.labelsOnly) return yield* this.#labelSets(request, mint, maxt, signal);
    const { func = '', stepMs = 0, rangeMs = 0 } = request.hints ?? {};
    const hints = { func, stepMs, rangeMs, startMs: mint, endMs: maxt, grouping: [], by: false };
    const response = await this.#client.read({ mint, maxt, matchers: request.matchers, hints }, signal);
    const type = response.header('content-type');
    const builder = new BatchBuilder();
    if (type.startsWith('application/x-streamed-protobuf')) {
      for await (const list of readChunkedStream(response.body)) {
        for (const series of list) addChunked(builder, series);
        if (builder.isFull) yield builder.take();
      }
    } else if (type.startsWith('application/x-protobuf')) addSampled(builder, await whole(response.body));
    else
      throw new VeronaError('corrupt', `${this.#client.url}: remote read answered ${JSON.stringify(type)}`);
    if (!builder.isEmpty) yield builder.take();
  }

  async labelNames({ signal }: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    return this.#strings('/api/v1/labels', request, signal);
  }

  async labelValues(
    { signal }: ReadContext,
    name: string,
    request: LabelRequest,
  ): Promise<readonly string[]> {
    return this.#strings(`/api/v1/label/${encodeURIComponent(name)}/values`, request, signal);
  }

  async exemplars(): Promise<readonly ExemplarSeries[]> {
    return [];
  }

  async close(): Promise<void> {}

  async *#labelSets(
    { matchers, hints }: SelectRequest,
    mint: number,
    maxt: number,
    signal: AbortSignal,
  ): AsyncGenerator<SeriesBatch> {
    const parameters = {
      'match[]': selectorText(matchers),
      ...times(mint, maxt),
      ...limitOf(hints?.limit ?? 0),
    };
    const answer = await this.#client.get<Record<string, string>[]>('/api/v1/series', parameters, signal);
    const sorted = this.#take(answer)
      .map((labels) => Labels.from({ ...labels, ...this.labelled?.toJSON() }))
      .sort(compareLabels);
    const builder = new BatchBuilder();
    for (const labels of sorted) {
      builder.addSeries(encodeLabels(labels));
      if (builder.isFull) yield builder.take();
    }
    if (!builder.isEmpty) yield builder.take();
  }

  async #strings(path: string, request: LabelRequest, signal: AbortSignal): Promise<readonly string[]> {
    const { matchers, limit } = request;
    const mint = Math.max(request.mint, this.#mint);
    const maxt = Math.min(request.maxt, this.#maxt);
    if (mint > maxt) return [];
    const parameters = {
      ...times(mint, maxt),
      ...(matchers.length > 0 && { 'match[]': selectorText(matchers) }),
      ...limitOf(limit),
    };
    const values = this.#take(await this.#client.get<string[]>(path, parameters, signal));
    return limit > 0 ? values.slice(0, limit) : values;
  }

  #take<T>({ data, warnings }: { readonly data: T; readonly warnings: readonly string[] }): T {
    for (const warning of warnings) this.#warnings.add(warning);
    return data;
  }
}

/** Older servers do not know it, and give more. */
function limitOf(limit: number): { limit?: string } {
  return limit > 0 ? { limit: String(limit) } : {};
}

/** Seconds, within what Prometheus can parse. */
export function times(mint: number, maxt: number): { start: string; end: string } {
  const seconds = (ms: number) => String(Math.min(Math.max(ms / 1000, -TIME_MAX_S), TIME_MAX_S));
  return { start: seconds(mint), end: seconds(maxt) };
}

function addChunked(builder: BatchBuilder, { labelBytes, chunks }: RawChunkedSeries): void {
  builder.addSeries(canonicalLabels(labelBytes));
  const inOrder = chunks.every(({ mint }, i) => i === 0 || chunks[i - 1].mint < mint);
  const sorted = inOrder ? chunks : [...chunks].sort((a, b) => a.mint - b.mint || a.maxt - b.maxt);
  for (const { mint, maxt, encoding, data } of sorted) builder.addChunk(mint, maxt, encoding, data);
}

function addSampled(builder: BatchBuilder, body: Uint8Array): void {
  const [series = []] = readReadResponse(snappyDecompress(body, SAMPLED_BYTES_MAX));
  for (const { labels, samples, histograms } of series) {
    const pairs = Array.from(
      { length: labels.length / 2 },
      (_, i) => [labels[2 * i], labels[2 * i + 1]] as const,
    );
    builder.addSeries(encodeLabels(Labels.from(pairs)));
    const floats = {
      timestamps: Float64Array.from(samples, ({ t }) => t),
      values: Float64Array.from(samples, ({ v }) => v),
    };
    const others = {
      timestamps: Float64Array.from(histograms, ({ t }) => t),
      histograms: histograms.map(({ histogram }) => histogram),
    };
    const chunks = [...encodeFloats(floats), ...encodeHistograms(others)];
    chunks.sort((a, b) => a.mint - b.mint || a.maxt - b.maxt);
    for (const { mint, maxt, encoding, payload } of chunks) builder.addChunk(mint, maxt, encoding, payload);
  }
}

async function whole(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > SAMPLED_BYTES_MAX)
      throw new VeronaError('limit', `remote read answered more than ${SAMPLED_BYTES_MAX} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
