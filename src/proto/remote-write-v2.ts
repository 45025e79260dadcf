import { WireError, WireReader, WireType, WireWriter } from '../encoding/protobuf.ts';
import type { Exemplar } from '../model/exemplar.ts';
import { METRIC_NAME } from '../model/labels.ts';
import { METRIC_TYPES, type Metadata, type MetricType } from '../model/metadata.ts';
import { readHistogram, writeHistogram } from './histogram-message.ts';
import { labelsFromFlat, metricTypeOf, readSample } from './remote-write.ts';
import type { TimeSeries, WireHistogram, WireSample } from './time-series.ts';

/**
 * Remote write 2.0 (io.prometheus.write.v2.Request), after snappy. Texts are numbers of entries of `symbols`,
 * whose first entry is empty:
 *
 *   Request     4 symbols string…, 5 timeseries…
 *   TimeSeries  1 labels_refs uint32… (name, value, name, value …), 2 samples…, 3 histograms…, 4 exemplars…, 5 metadata
 *   Sample      1 value double, 2 timestamp int64, 3 start_timestamp int64
 *   Exemplar    1 labels_refs uint32…, 2 value double, 3 timestamp int64
 *   Metadata    1 type enum, 3 help_ref uint32, 4 unit_ref uint32
 *
 * Errors as in 1.0; a number beyond the table and an odd count of label refs are `WireError` too.
 */
export interface WriteRequestV2 {
  readonly timeSeries: readonly TimeSeries[];
}

export function readWriteRequestV2(bytes: Uint8Array): WriteRequestV2 {
  const symbols = new SymbolTable(bytes);
  const timeSeries: TimeSeries[] = [];
  const reader = new WireReader(bytes);
  while (reader.next())
    if (reader.field === 5) timeSeries.push(readTimeSeriesMessage(reader.message(), symbols));
  return { timeSeries };
}

/** One TimeSeries message in bytes[start … end), without its tag and size. */
export function readTimeSeriesV2(
  bytes: Uint8Array,
  start: number,
  end: number,
  symbols: SymbolTable,
): TimeSeries {
  return readTimeSeriesMessage(new WireReader(bytes, start, end), symbols);
}

/** What a series of a request says of its metric. */
export interface SeriesMetadata {
  readonly name: string;
  readonly isHistogram: boolean;
  readonly metadata: Metadata;
}

/** The different metadata in a request, each once. Throws `WireError`. */
export function readSeriesMetadata(bytes: Uint8Array, symbols: SymbolTable): Iterable<SeriesMetadata> {
  const found = new Map<string, SeriesMetadata>();
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field !== 5) continue;
    const series = reader.message();
    const refs: number[] = [];
    let isHistogram = false;
    let metadata: Metadata | undefined;
    while (series.next()) {
      if (series.field === 1) series.uints(refs);
      else if (series.field === 3) isHistogram = true;
      else if (series.field === 5) metadata = readMetadata(series.message(), symbols);
    }
    const at = refs.findIndex((ref, i) => i % 2 === 0 && symbols.at(ref, reader.tagStart) === METRIC_NAME);
    if (metadata === undefined || at < 0) continue;
    const name = symbols.at(refs[at + 1], reader.tagStart);
    found.set(`${name}\0${isHistogram}\0${metadata.type}\0${metadata.unit}\0${metadata.help}`, {
      name,
      isHistogram,
      metadata,
    });
  }
  return found.values();
}

/** The symbols of a request, found in one pass and decoded when asked for. Keeps `bytes`. */
export class SymbolTable {
  readonly #bytes: Uint8Array;
  /** Start and end of each symbol, interleaved. */
  readonly #bounds: Uint32Array;
  readonly #texts = new Map<number, string>();

  /** From the whole decoded request. Throws `WireError` where it does not parse or the first symbol is not empty. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    let bounds = new Uint32Array(256);
    let length = 0;
    const reader = new WireReader(bytes);
    while (reader.next()) {
      if (reader.field !== 4) continue;
      reader.expect(WireType.bytes);
      if (length === bounds.length) bounds = grown(bounds);
      bounds[length++] = reader.valueStart;
      bounds[length++] = reader.valueEnd;
    }
    this.#bounds = bounds.subarray(0, length);
    if (length > 0 && bounds[1] > bounds[0]) throw new WireError('first symbol is not empty', bounds[0]);
  }

  get size(): number {
    return this.#bounds.length / 2;
  }

  /** Symbol `ref`; `offset` is where it is used, for the error. */
  at(ref: number, offset: number): string {
    if (ref >= this.size) throw new WireError(`symbol ${ref} of ${this.size}`, offset);
    let text = this.#texts.get(ref);
    if (text === undefined) {
      text = this.#decode(ref);
      this.#texts.set(ref, text);
    }
    return text;
  }

  #decode(ref: number): string {
    const start = this.#bounds[2 * ref];
    try {
      return textDecoder.decode(this.#bytes.subarray(start, this.#bounds[2 * ref + 1]));
    } catch {
      throw new WireError('text is not UTF-8', start);
    }
  }
}

const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function grown(bounds: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * bounds.length);
  larger.set(bounds);
  return larger;
}

function readTimeSeriesMessage(reader: WireReader, symbols: SymbolTable): TimeSeries {
  const start = reader.tagStart;
  const refs: number[] = [];
  const samples: WireSample[] = [];
  const histograms: WireHistogram[] = [];
  const exemplars: Exemplar[] = [];
  let metadata: Metadata | undefined;
  while (reader.next()) {
    if (reader.field === 1) reader.uints(refs);
    else if (reader.field === 2) samples.push(readSample(reader.message()));
    else if (reader.field === 3) histograms.push(readHistogram(reader.message()));
    else if (reader.field === 4) exemplars.push(readExemplar(reader.message(), symbols));
    else if (reader.field === 5) metadata = readMetadata(reader.message(), symbols);
  }
  return { labels: resolve(refs, symbols, start), samples, histograms, exemplars, metadata };
}

function readExemplar(reader: WireReader, symbols: SymbolTable): Exemplar {
  const start = reader.tagStart;
  const refs: number[] = [];
  let value = 0;
  let t = 0;
  while (reader.next()) {
    if (reader.field === 1) reader.uints(refs);
    else if (reader.field === 2) value = reader.double();
    else if (reader.field === 3) t = reader.int();
  }
  return { labels: labelsFromFlat(resolve(refs, symbols, start)), value, t, hasTimestamp: t !== 0 };
}

function readMetadata(reader: WireReader, symbols: SymbolTable): Metadata {
  let type: MetricType = 'unknown';
  let help = '';
  let unit = '';
  while (reader.next()) {
    if (reader.field === 1) type = metricTypeOf(reader.int());
    else if (reader.field === 3) help = textOf(reader.uint(), symbols, reader.tagStart);
    else if (reader.field === 4) unit = textOf(reader.uint(), symbols, reader.tagStart);
  }
  return { type, unit, help };
}

function textOf(ref: number, symbols: SymbolTable, offset: number): string {
  return ref === 0 ? '' : symbols.at(ref, offset);
}

function resolve(refs: readonly number[], symbols: SymbolTable, offset: number): string[] {
  if (refs.length % 2 !== 0) throw new WireError(`${refs.length} label refs, an odd number`, offset);
  return refs.map((ref) => symbols.at(ref, offset));
}

/** The request as protobuf, to be compressed with snappy by the caller. A fresh array. */
export function encodeWriteRequestV2(request: WriteRequestV2): Uint8Array {
  const symbols = new Map<string, number>([['', 0]]);
  const refOf = (text: string): number => {
    const ref = symbols.get(text) ?? symbols.size;
    symbols.set(text, ref);
    return ref;
  };
  const body = new WireWriter();
  for (const series of request.timeSeries) body.message(5, () => writeTimeSeries(body, series, refOf));
  const writer = new WireWriter();
  for (const symbol of symbols.keys()) writer.string(4, symbol);
  writer.raw(body.bytes());
  return writer.bytes().slice();
}

function writeTimeSeries(writer: WireWriter, series: TimeSeries, refOf: (text: string) => number): void {
  writer.packedUints(1, series.labels.map(refOf));
  for (const { t, v, startT } of series.samples)
    writer.message(2, () => {
      writer.double(1, v);
      writer.int(2, t);
      if (startT !== 0) writer.int(3, startT);
    });
  for (const histogram of series.histograms) writer.message(3, () => writeHistogram(writer, histogram));
  for (const exemplar of series.exemplars)
    writer.message(4, () => {
      writer.packedUints(1, exemplar.labels.flat.map(refOf));
      writer.double(2, exemplar.value);
      writer.int(3, exemplar.t);
    });
  const { metadata } = series;
  if (metadata)
    writer.message(5, () => {
      writer.int(1, METRIC_TYPES.indexOf(metadata.type));
      writer.int(3, refOf(metadata.help));
      writer.int(4, refOf(metadata.unit));
    });
}
