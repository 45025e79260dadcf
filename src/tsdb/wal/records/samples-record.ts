import { ByteReader } from '../../format/byte-reader.ts';
import { ByteWriter } from '../../format/byte-writer.ts';
import { RecordType } from './record-type.ts';

/** Float samples as parallel columns; `values` keeps the bits of NaNs as long as it is copied as bytes. */
export interface SampleColumns {
  readonly count: number;
  readonly refs: Float64Array;
  readonly times: Float64Array;
  readonly values: Float64Array;
}

/**
 * Float samples, each relative to the first:
 *
 *   ┌────────┬────────────────┬──────────────┬──────────────────────────────────────────────────┬───
 *   │ type 2 │ first ref 8B BE│ first t 8B BE│ ref - first varint │ t - first varint │ value 8B BE│ …
 *   └────────┴────────────────┴──────────────┴──────────────────────────────────────────────────┴───
 */
export function encodeSamplesRecord({ count, refs, times, values }: SampleColumns): Uint8Array {
  const out = new ByteWriter(17 + count * 14);
  out.byte(RecordType.samples);
  if (count === 0) return out.copy();
  out.be64(refs[0]);
  out.be64(times[0]);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, count * 8);
  for (let i = 0; i < count; i++) {
    out.varint(refs[i] - refs[0]);
    out.varint(times[i] - times[0]);
    // Byte by byte: a staleness marker must not become another NaN on its way through a number.
    for (let k = 7; k >= 0; k--) out.byte(bytes[8 * i + k]);
  }
  return out.copy();
}

/** Throws `corrupt`. */
export function decodeSamplesRecord(record: Uint8Array): SampleColumns {
  const reader = new ByteReader(record, 1);
  if (reader.left === 0) return emptySamples(0);
  const firstRef = reader.be64();
  const firstTime = reader.be64Signed();
  const columns = emptySamples(Math.floor(reader.left / 10));
  const bytes = new Uint8Array(columns.values.buffer);
  let count = 0;
  for (; reader.left > 0; count++) {
    columns.refs[count] = firstRef + reader.varint();
    columns.times[count] = firstTime + reader.varint();
    const value = reader.take(8);
    for (let k = 0; k < 8; k++) bytes[8 * count + k] = value[7 - k];
  }
  return { ...columns, count };
}

/** The samples whose index passes `wanted`. */
export function filterSamples(
  columns: SampleColumns,
  wanted: (ref: number, t: number) => boolean,
): SampleColumns {
  const kept = emptySamples(columns.count);
  const from = new BigUint64Array(columns.values.buffer, columns.values.byteOffset, columns.count);
  const to = new BigUint64Array(kept.values.buffer);
  let count = 0;
  for (let i = 0; i < columns.count; i++)
    if (wanted(columns.refs[i], columns.times[i])) {
      kept.refs[count] = columns.refs[i];
      kept.times[count] = columns.times[i];
      to[count++] = from[i];
    }
  return { ...kept, count };
}

function emptySamples(capacity: number): SampleColumns {
  return {
    count: 0,
    refs: new Float64Array(capacity),
    times: new Float64Array(capacity),
    values: new Float64Array(capacity),
  };
}
