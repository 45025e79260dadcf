import { ByteReader } from '../../format/byte-reader.ts';
import { ByteWriter } from '../../format/byte-writer.ts';
import { RecordType } from './record-type.ts';
import type { SampleColumns } from './samples-record.ts';
import { readStart, writeStart } from './start-marker.ts';

/** Float samples with start timestamps, ms, 0 when unknown. */
export interface StartedSampleColumns extends SampleColumns {
  readonly startTimes: Float64Array;
}

/**
 * Float samples with start timestamps, refs relative to the sample before, times to the first (`start-marker.ts`):
 *
 *   ┌─────────┬──────────────────┬────────────────┬─────────────────┬─────────────┬───────────────────────────────────┬───
 *   │ type 11 │ first ref varint │ first t varint │ first st varint │ value 8B BE │ Δref varint │ Δt varint │ st │ value │ …
 *   └─────────┴──────────────────┴────────────────┴─────────────────┴─────────────┴───────────────────────────────────┴───
 */
export function encodeStartedSamplesRecord(columns: StartedSampleColumns): Uint8Array {
  const { count, refs, times, values, startTimes } = columns;
  const out = new ByteWriter(32 + count * 16);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, count * 8);
  out.byte(RecordType.samplesST);
  for (let i = 0; i < count; i++) {
    out.varint(i === 0 ? refs[0] : refs[i] - refs[i - 1]);
    out.varint(i === 0 ? times[0] : times[i] - times[0]);
    if (i === 0) out.varint(startTimes[0]);
    else writeStart(out, startTimes[i], startTimes[0], startTimes[i - 1]);
    for (let k = 7; k >= 0; k--) out.byte(bytes[8 * i + k]);
  }
  return out.copy();
}

/** Throws `corrupt`. */
export function decodeStartedSamplesRecord(record: Uint8Array): StartedSampleColumns {
  const reader = new ByteReader(record, 1);
  // Three bytes and a value at least.
  const capacity = Math.floor(reader.left / 11);
  const column = () => new Float64Array(capacity + 1);
  const columns = { refs: column(), times: column(), values: column(), startTimes: column() };
  const { refs, times, values, startTimes } = columns;
  const bytes = new Uint8Array(values.buffer);
  let count = 0;
  for (; reader.left > 0; count++) {
    refs[count] = reader.varint() + (count === 0 ? 0 : refs[count - 1]);
    times[count] = reader.varint() + (count === 0 ? 0 : times[0]);
    startTimes[count] =
      count === 0 ? reader.varint() : readStart(reader, startTimes[0], startTimes[count - 1]);
    const value = reader.take(8);
    for (let k = 0; k < 8; k++) bytes[8 * count + k] = value[7 - k];
  }
  return { ...columns, count };
}

/** The samples whose time passes `wanted`. */
export function filterStartedSamples(
  columns: StartedSampleColumns,
  wanted: (t: number) => boolean,
): StartedSampleColumns {
  const kept = Array.from({ length: columns.count }, (_, i) => i).filter((i) => wanted(columns.times[i]));
  const values = new Float64Array(kept.length);
  const from = new BigUint64Array(columns.values.buffer, columns.values.byteOffset, columns.count);
  new BigUint64Array(values.buffer).set(kept.map((i) => from[i]));
  return {
    count: kept.length,
    refs: Float64Array.from(kept, (i) => columns.refs[i]),
    times: Float64Array.from(kept, (i) => columns.times[i]),
    startTimes: Float64Array.from(kept, (i) => columns.startTimes[i]),
    values,
  };
}
