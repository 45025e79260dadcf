import { CUSTOM_BUCKETS_SCHEMA } from '../../model/histogram.ts';
import { encodeHistogramRecords } from '../wal/records/histogram-record.ts';
import { encodeExemplarsRecord, encodeMetadataRecord } from '../wal/records/other-records.ts';
import { encodeSamplesRecord } from '../wal/records/samples-record.ts';
import { encodeStartedSamplesRecord } from '../wal/records/started-samples-record.ts';
import type { LoggedFloat, LoggedHistogram, LoggedRare, Unlogged } from './unlogged.ts';

/** The log records of one request: series first, so that every ref is known when it is used. `series` and `samples` may be empty. */
export function encodeRecords(series: Uint8Array, samples: Uint8Array, unlogged: Unlogged): Uint8Array[] {
  const records: Uint8Array[] = [];
  if (series.length > 0) records.push(series);
  if (unlogged.metadata.length > 0) records.push(encodeMetadataRecord(unlogged.metadata));
  if (samples.length > 0) records.push(samples);
  records.push(...encodeSamples(unlogged.rare));
  if (unlogged.exemplars.length > 0) records.push(encodeExemplarsRecord(unlogged.exemplars));
  return records;
}

/** A record holds samples of one kind, and a series may have several kinds: records are in the order of the samples. */
export function encodeSamples(samples: readonly LoggedRare[]): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let from = 0; from < samples.length; ) {
    const kind = kindOf(samples[from]);
    let to = from + 1;
    while (to < samples.length && kindOf(samples[to]) === kind) to++;
    const run = samples.slice(from, to);
    if (kind.endsWith('number')) records.push(encodeFloats(run as LoggedFloat[]));
    else records.push(...encodeHistogramRecords(run as LoggedHistogram[]));
    from = to;
  }
  return records;
}

/** What may share a record. */
function kindOf(sample: LoggedRare): string {
  const started = sample.startT !== 0;
  if (!('histogram' in sample)) return started ? 'started number' : 'number';
  return `${sample.histogram.kind} ${started || sample.histogram.schema === CUSTOM_BUCKETS_SCHEMA} ${started}`;
}

function encodeFloats(floats: readonly LoggedFloat[]): Uint8Array {
  const columns = {
    count: floats.length,
    refs: Float64Array.from(floats, ({ ref }) => ref),
    times: Float64Array.from(floats, ({ t }) => t),
    values: Float64Array.from(floats, ({ v }) => v),
  };
  if (floats[0].startT === 0) return encodeSamplesRecord(columns);
  return encodeStartedSamplesRecord({
    ...columns,
    startTimes: Float64Array.from(floats, ({ startT }) => startT),
  });
}
