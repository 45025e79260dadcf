import { encodeLabels } from '../../encoding/label-bytes.ts';
import { encodeHistogramRecords } from '../wal/records/histogram-record.ts';
import { encodeExemplarsRecord, encodeMetadataRecord } from '../wal/records/other-records.ts';
import { encodeSamplesRecord } from '../wal/records/samples-record.ts';
import { SeriesRecordWriter } from '../wal/records/series-record.ts';
import type { NewSeries } from './series-table.ts';
import type { LoggedFloat, Unlogged } from './unlogged.ts';

/** The log records of one request: series first, so that every ref is known when it is used. `samples` may be empty. */
export function encodeRecords(
  series: readonly NewSeries[],
  samples: Uint8Array,
  unlogged: Unlogged,
): Uint8Array[] {
  const records: Uint8Array[] = [];
  if (series.length > 0) records.push(encodeSeries(series));
  if (unlogged.metadata.length > 0) records.push(encodeMetadataRecord(unlogged.metadata));
  if (samples.length > 0) records.push(samples);
  if (unlogged.floats.length > 0) records.push(encodeFloats(unlogged.floats));
  if (unlogged.histograms.length > 0) records.push(...encodeHistogramRecords(unlogged.histograms));
  if (unlogged.exemplars.length > 0) records.push(encodeExemplarsRecord(unlogged.exemplars));
  return records;
}

export function encodeFloats(floats: readonly LoggedFloat[]): Uint8Array {
  return encodeSamplesRecord({
    count: floats.length,
    refs: Float64Array.from(floats, ({ ref }) => ref),
    times: Float64Array.from(floats, ({ t }) => t),
    values: Float64Array.from(floats, ({ v }) => v),
  });
}

function encodeSeries(series: readonly NewSeries[]): Uint8Array {
  const writer = new SeriesRecordWriter();
  for (const { ref, labels } of series) writer.add(ref, encodeLabels(labels));
  return writer.take();
}
