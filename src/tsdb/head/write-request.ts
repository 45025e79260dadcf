import type { ByteParts } from '../../encoding/byte-parts.ts';
import { WireReader, WireType } from '../../encoding/protobuf.ts';
import { IngestEvent } from '../../kernel/head-memory.ts';
import { VeronaError } from '../../model/errors.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { metricFamily } from '../../model/metadata.ts';
import { labelsFromFlat, readMetricMetadata, readTimeSeries } from '../../proto/remote-write.ts';
import { readSeriesMetadata, readTimeSeriesV2, SymbolTable } from '../../proto/remote-write-v2.ts';
import type { TimeSeries } from '../../proto/time-series.ts';
import type { HeadStore } from './head-store.ts';
import type { Refusal, SeriesPolicy } from './series-table.ts';
import { countRefusedExemplar, emptyResult, refuse, type WriteResult } from './write-result.ts';

/** `1`: prometheus.WriteRequest; `2`: io.prometheus.write.v2.Request. */
export type WriteVersion = 1 | 2;

export interface AppliedRequest {
  readonly result: WriteResult;
  /** Set when the request does not parse beyond some point; what came before is applied. */
  readonly malformed: VeronaError | undefined;
}

/** Metadata field of a 1.0 request. */
const METADATA_FIELD = 3;
/** Series of a 2.0 request. */
const SERIES_FIELD_V2 = 5;

/**
 * Applies a snappy-compressed write request to the head's memory; synchronous, so requests never mix. Throws
 * `bad_data` or `too_large` when nothing of it can be read; then nothing has changed.
 */
export function applyWriteRequest(
  store: HeadStore,
  body: ByteParts,
  version: WriteVersion,
  decodedMax: number,
  policy: SeriesPolicy,
): AppliedRequest {
  const { memory } = store;
  if (version === 1) memory.beginWrite(body, decodedMax);
  else memory.beginWriteV2(body, decodedMax);
  const request = new RequestUnderWay(store, version, policy);
  if (version === 2 && store.usesStartTimes)
    return { malformed: request.applyPlainly(), result: request.result };
  let malformed: VeronaError | undefined;
  for (let event = memory.resume(); event !== IngestEvent.done; event = memory.resume()) {
    if (event === IngestEvent.malformed) {
      malformed = new VeronaError(
        'bad_data',
        `write request: ${memory.event.reason} at ${memory.event.offset}`,
      );
      break;
    }
    malformed = request.tryDecide(event);
    if (malformed !== undefined) break;
  }
  if (version === 2 && malformed === undefined && store.takeMetadataScan()) request.scanMetadata();
  request.result.samples += memory.writeSamples;
  return { result: request.result, malformed };
}

class RequestUnderWay {
  readonly result = emptyResult();
  readonly #store: HeadStore;
  readonly #version: WriteVersion;
  readonly #policy: SeriesPolicy;
  #symbols: SymbolTable | undefined;

  constructor(store: HeadStore, version: WriteVersion, policy: SeriesPolicy) {
    this.#store = store;
    this.#version = version;
    this.#policy = policy;
  }

  /** A whole 2.0 request without the kernel, which passes over start timestamps. Returns the error where it does not parse. */
  applyPlainly(): VeronaError | undefined {
    const bytes = this.#store.memory.decoded().slice();
    try {
      this.#symbols = new SymbolTable(bytes);
      const reader = new WireReader(bytes);
      while (reader.next()) {
        if (reader.field !== SERIES_FIELD_V2) continue;
        reader.expect(WireType.bytes);
        const sent = readTimeSeriesV2(bytes, reader.valueStart, reader.valueEnd, this.#symbols);
        const found = this.#store.table.resolveFlat(sent.labels, this.#policy);
        if (typeof found === 'number') this.#applySeries(found, sent);
        else this.#refuseAll(found, sent);
      }
      return undefined;
    } catch (error) {
      if (error instanceof VeronaError && error.code === 'bad_data') return error;
      throw error;
    }
  }

  /** The error when what the event is about does not decode. */
  tryDecide(event: IngestEvent): VeronaError | undefined {
    try {
      this.#decide(event);
      return undefined;
    } catch (error) {
      if (error instanceof VeronaError && error.code === 'bad_data') return error;
      throw error;
    }
  }

  #decide(event: IngestEvent): void {
    if (event === IngestEvent.newSeries) this.#decideNew();
    else if (event === IngestEvent.rareSeries) this.#applyRare();
    else if (event === IngestEvent.refusedSample) this.#settleRefused();
    else if (event === IngestEvent.otherField) this.#applyOther();
  }

  #decideNew(): void {
    const { table, memory } = this.#store;
    const { event } = memory;
    const { metadataEnd } = event;
    const found = table.adoptNew(this.#policy);
    if (typeof found !== 'number') this.#refuseAll(found, this.#read());
    else if (metadataEnd > 0) this.#noteMetadata(found, this.#read());
  }

  #applyRare(): void {
    const { event } = this.#store.memory;
    const { slot, labelsCanonical } = event;
    const labels = event.labels.slice();
    const sent = this.#read();
    const found = slot !== 0 ? slot : this.#store.table.resolveSent(labels, labelsCanonical, this.#policy);
    if (typeof found === 'number') this.#applySeries(found, sent);
    else this.#refuseAll(found, sent);
  }

  #applySeries(slot: number, sent: TimeSeries): void {
    const store = this.#store;
    const labels = (): Labels => store.table.labelsOf(slot);
    for (const { t, v, startT } of sent.samples) {
      const outcome = store.appendFloat(slot, t, v, startT);
      if (outcome === 'ok' || outcome === 'duplicate') this.result.samples++;
      else refuse(this.result, outcome, labels, t);
    }
    for (const { t, histogram, startT } of sent.histograms) {
      const outcome = store.appendHistogram(slot, t, histogram, startT);
      if (outcome === 'ok' || outcome === 'duplicate') this.result.histograms++;
      else refuse(this.result, outcome, labels, t);
    }
    for (const exemplar of sent.exemplars) {
      const outcome = store.appendExemplar(slot, exemplar);
      if (outcome === 'ok' || outcome === 'duplicate') this.result.exemplars++;
      else countRefusedExemplar(this.result);
    }
    this.#noteMetadata(slot, sent);
  }

  #refuseAll(refusal: Refusal, sent: TimeSeries): void {
    const count = sent.samples.length + sent.histograms.length + sent.exemplars.length;
    const t = sent.samples[0]?.t ?? sent.histograms[0]?.t ?? sent.exemplars[0]?.t ?? 0;
    refuse(this.result, refusal.outcome, () => labelsFromFlat(sent.labels), t, count, refusal.reason);
  }

  #settleRefused(): void {
    const { slot, t, v, outcome } = this.#store.memory.event;
    const settled = this.#store.settle(slot, t, v, outcome);
    if (settled === 'ok' || settled === 'duplicate') this.result.samples++;
    else refuse(this.result, settled, () => this.#store.table.labelsOf(slot), t);
  }

  #applyOther(): void {
    const { memory, metadata } = this.#store;
    if (this.#version !== 1 || memory.event.fieldNumber !== METADATA_FIELD) return;
    const { seriesStart, seriesEnd } = memory.event;
    const { family, metadata: known } = readMetricMetadata(memory.decoded(), seriesStart, seriesEnd);
    metadata.set(family, known);
  }

  #noteMetadata(slot: number, sent: TimeSeries): void {
    const name = labelsFromFlat(sent.labels).get(METRIC_NAME);
    if (sent.metadata === undefined || name === '') return;
    this.#store.setMetadata(slot, sent.metadata, sent.histograms.length > 0 ? name : undefined);
  }

  /** The kernel passes over what a 2.0 request says of series that are known; it may have changed. */
  scanMetadata(): void {
    const { memory, metadata: known } = this.#store;
    const bytes = memory.decoded();
    this.#symbols ??= new SymbolTable(bytes.slice());
    for (const { name, isHistogram, metadata } of readSeriesMetadata(bytes, this.#symbols))
      known.set(isHistogram ? name : metricFamily(name, metadata.type), metadata);
  }

  /** The TimeSeries of the last event, decoded; before the request goes on. */
  #read(): TimeSeries {
    const { memory } = this.#store;
    const { seriesStart, seriesEnd } = memory.event;
    const bytes = memory.decoded();
    if (this.#version === 1) return readTimeSeries(bytes, seriesStart, seriesEnd);
    this.#symbols ??= new SymbolTable(bytes.slice());
    return readTimeSeriesV2(bytes, seriesStart, seriesEnd, this.#symbols);
  }
}
