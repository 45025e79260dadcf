import { WireReader, WireWriter } from '../encoding/protobuf.ts';
import type { Exemplar } from '../model/exemplar.ts';
import { Labels } from '../model/labels.ts';
import { METRIC_TYPES, type MetricType } from '../model/metadata.ts';
import { readHistogram, writeHistogram } from './histogram-message.ts';
import type { FamilyMetadata, TimeSeries, WireHistogram, WireSample } from './time-series.ts';

/**
 * Remote write 1.0 (prometheus.WriteRequest), after snappy:
 *
 *   WriteRequest   1 timeseries…, 3 metadata…
 *   TimeSeries     1 labels…, 2 samples…, 3 exemplars…, 4 histograms…
 *   Label          1 name, 2 value
 *   Sample         1 value double, 2 timestamp int64
 *   Exemplar       1 labels…, 2 value double, 3 timestamp int64
 *   MetricMetadata 1 type enum, 2 metric_family_name, 4 help, 5 unit
 *
 * Fields of other numbers are skipped. Everything that does not parse is a `WireError` (`bad_data` with the offset).
 */
export interface WriteRequest {
  readonly timeSeries: readonly TimeSeries[];
  readonly metadata: readonly FamilyMetadata[];
}

export function readWriteRequest(bytes: Uint8Array): WriteRequest {
  const timeSeries: TimeSeries[] = [];
  const metadata: FamilyMetadata[] = [];
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) timeSeries.push(readTimeSeriesMessage(reader.message()));
    else if (reader.field === 3) metadata.push(readMetadataMessage(reader.message()));
  }
  return { timeSeries, metadata };
}

/** One TimeSeries message in bytes[start … end), without its tag and size. */
export function readTimeSeries(bytes: Uint8Array, start: number, end: number): TimeSeries {
  return readTimeSeriesMessage(new WireReader(bytes, start, end));
}

/** One MetricMetadata message in bytes[start … end), without its tag and size. */
export function readMetricMetadata(bytes: Uint8Array, start: number, end: number): FamilyMetadata {
  return readMetadataMessage(new WireReader(bytes, start, end));
}

export function readTimeSeriesMessage(reader: WireReader): TimeSeries {
  const labels: string[] = [];
  const samples: WireSample[] = [];
  const histograms: WireHistogram[] = [];
  const exemplars: Exemplar[] = [];
  while (reader.next()) {
    if (reader.field === 1) readLabel(reader.message(), labels);
    else if (reader.field === 2) samples.push(readSample(reader.message()));
    else if (reader.field === 3) exemplars.push(readExemplar(reader.message()));
    else if (reader.field === 4) histograms.push(readHistogram(reader.message()));
  }
  return { labels, samples, histograms, exemplars };
}

/** Adds name and value of one Label message. */
export function readLabel(reader: WireReader, labels: string[]): void {
  let name = '';
  let value = '';
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) value = reader.string();
  }
  labels.push(name, value);
}

/** A sample of 1.0 or 2.0; only the latter has field 3, the start time. */
export function readSample(reader: WireReader): WireSample {
  let v = 0;
  let t = 0;
  let startT = 0;
  while (reader.next()) {
    if (reader.field === 1) v = reader.double();
    else if (reader.field === 2) t = reader.int();
    else if (reader.field === 3) startT = reader.int();
  }
  return { t, v, startT };
}

function readExemplar(reader: WireReader): Exemplar {
  const labels: string[] = [];
  let value = 0;
  let t = 0;
  while (reader.next()) {
    if (reader.field === 1) readLabel(reader.message(), labels);
    else if (reader.field === 2) value = reader.double();
    else if (reader.field === 3) t = reader.int();
  }
  return { labels: labelsFromFlat(labels), value, t, hasTimestamp: t !== 0 };
}

/** A label set out of name, value, name, value … in any order. */
export function labelsFromFlat(flat: readonly string[]): Labels {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i], flat[i + 1]]);
  return Labels.from(pairs);
}

function readMetadataMessage(reader: WireReader): FamilyMetadata {
  let type: MetricType = 'unknown';
  let family = '';
  let help = '';
  let unit = '';
  while (reader.next()) {
    if (reader.field === 1) type = metricTypeOf(reader.int());
    else if (reader.field === 2) family = reader.string();
    else if (reader.field === 4) help = reader.string();
    else if (reader.field === 5) unit = reader.string();
  }
  return { family, metadata: { type, unit, help } };
}

/** Numbers not known yet mean `unknown`. */
export function metricTypeOf(number: number): MetricType {
  return METRIC_TYPES[number] ?? 'unknown';
}

/** The request as protobuf, to be compressed with snappy by the caller. A fresh array. */
export function encodeWriteRequest(request: WriteRequest): Uint8Array {
  const writer = new WireWriter();
  for (const series of request.timeSeries) writer.message(1, () => writeTimeSeries(writer, series));
  for (const { family, metadata } of request.metadata)
    writer.message(3, () => {
      writer.int(1, METRIC_TYPES.indexOf(metadata.type));
      writer.string(2, family);
      writer.string(4, metadata.help);
      writer.string(5, metadata.unit);
    });
  return writer.bytes().slice();
}

/** Writes the fields of one TimeSeries message. */
export function writeTimeSeries(writer: WireWriter, series: TimeSeries): void {
  writeLabels(writer, series.labels);
  for (const { t, v } of series.samples)
    writer.message(2, () => {
      writer.double(1, v);
      writer.int(2, t);
    });
  for (const exemplar of series.exemplars)
    writer.message(3, () => {
      writeLabels(writer, exemplar.labels.flat);
      writer.double(2, exemplar.value);
      writer.int(3, exemplar.t);
    });
  for (const histogram of series.histograms)
    writer.message(4, () => writeHistogram(writer, { ...histogram, startT: 0 }));
}

/** Labels as field 1 of the message being written. */
export function writeLabels(writer: WireWriter, flat: readonly string[]): void {
  for (let i = 0; i < flat.length; i += 2)
    writer.message(1, () => {
      writer.string(1, flat[i]);
      writer.string(2, flat[i + 1]);
    });
}
