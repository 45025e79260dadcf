import { type ByteCursor, putVarint, readBigUvarint, unzigzag } from '../encoding/varint.ts';
import { VeronaError } from '../model/errors.ts';
import type { PlainSample } from './plain-chunk.ts';

export interface LoggedSample {
  /** The number of the series in the log. */
  readonly ref: number;
  readonly sample: PlainSample;
}

const TYPE = 2;
const HEAD_BYTES = 17;
/** Two varints of at most ten bytes, and the value. */
const SAMPLE_BYTES_MAX = 28;

/** A samples record of the write-ahead log (docs/format/wal.md); empty when there is nothing to log. */
export function encodeSamplesRecord(logged: readonly LoggedSample[]): Uint8Array {
  if (logged.length === 0) return new Uint8Array();
  const out = new Uint8Array(HEAD_BYTES + SAMPLE_BYTES_MAX * logged.length);
  const view = new DataView(out.buffer);
  const first = logged[0];
  out[0] = TYPE;
  view.setBigUint64(1, BigInt(first.ref));
  view.setBigInt64(9, BigInt(first.sample.t));
  let at = HEAD_BYTES;
  for (const { ref, sample } of logged) {
    at = putVarint(out, at, ref - first.ref);
    at = putVarint(out, at, sample.t - first.sample.t);
    view.setBigUint64(at, sample.bits);
    at += 8;
  }
  return out.slice(0, at);
}

/** The samples of a record in its order, up to where it is broken. Throws `corrupt` with the offset there. */
export function* samplesOfRecord(record: Uint8Array): Generator<LoggedSample> {
  if (record[0] !== TYPE) throw new VeronaError('corrupt', 'samples record: bad type at 0');
  if (record.length === 1) return;
  if (record.length < HEAD_BYTES) throw new VeronaError('corrupt', 'samples record: cut off at 1');
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  const firstRef = view.getBigUint64(1);
  const firstT = view.getBigInt64(9);
  const cursor: ByteCursor = { bytes: record, at: HEAD_BYTES, end: record.length };
  while (cursor.at < record.length) {
    const start = cursor.at;
    const ref = BigInt.asUintN(64, firstRef + logVarint(cursor, start));
    const t = BigInt.asIntN(64, firstT + logVarint(cursor, start));
    if (record.length - cursor.at < 8)
      throw new VeronaError('corrupt', `samples record: cut off at ${start}`);
    const bits = view.getBigUint64(cursor.at);
    cursor.at += 8;
    yield { ref: Number(ref), sample: { t: Number(t), bits } };
  }
}

function logVarint(cursor: ByteCursor, sampleStart: number): bigint {
  try {
    return unzigzag(readBigUvarint(cursor));
  } catch (error) {
    throw new VeronaError('corrupt', `samples record: bad varint at ${sampleStart}`, { cause: error });
  }
}
