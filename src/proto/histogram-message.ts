import type { WireReader, WireWriter } from '../encoding/protobuf.ts';
import { VeronaError } from '../model/errors.ts';
import type { AnyHistogram, CounterResetHint, Span } from '../model/histogram.ts';
import type { WireHistogram } from './time-series.ts';

/**
 * A native histogram, the same in remote write 1.0, 2.0 and remote read (field 17 in 2.0 only):
 *
 *    1 count uint64      2 count double        3 sum double           4 schema sint32     5 zero_threshold double
 *    6 zero_count uint64 7 zero_count double   14 reset_hint enum     15 timestamp int64  16 custom_values double…
 *    8 negative_spans…   9 negative_deltas sint64…  10 negative_counts double…            17 start_timestamp int64
 *   11 positive_spans…  12 positive_deltas sint64…  13 positive_counts double…
 *
 *   BucketSpan: 1 offset sint32, 2 length uint32
 *
 * `count double` present makes it a float histogram with absolute buckets, otherwise buckets are deltas.
 */
export function readHistogram(reader: WireReader): WireHistogram {
  const fields = emptyFields();
  while (reader.next()) readField(reader, fields);
  return toHistogram(fields);
}

const RESET_HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not_reset', 'gauge'];

/** Beyond it a span cannot be backed by buckets that were sent; keeps a few bytes from meaning billions of buckets. */
const SPAN_LENGTH_MAX = 1 << 24;

interface Fields {
  isFloat: boolean;
  count: number;
  sum: number;
  schema: number;
  zeroThreshold: number;
  zeroCount: number;
  readonly negativeSpans: Span[];
  readonly negativeDeltas: number[];
  readonly negativeCounts: number[];
  readonly positiveSpans: Span[];
  readonly positiveDeltas: number[];
  readonly positiveCounts: number[];
  resetHint: number;
  t: number;
  readonly customValues: number[];
  startT: number;
}

function emptyFields(): Fields {
  return {
    isFloat: false,
    count: 0,
    sum: 0,
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    negativeSpans: [],
    negativeDeltas: [],
    negativeCounts: [],
    positiveSpans: [],
    positiveDeltas: [],
    positiveCounts: [],
    resetHint: 0,
    t: 0,
    customValues: [],
    startT: 0,
  };
}

function readField(reader: WireReader, fields: Fields): void {
  switch (reader.field) {
    case 1:
      fields.isFloat = false;
      fields.count = reader.uint();
      break;
    case 2:
      fields.isFloat = true;
      fields.count = reader.double();
      break;
    case 3:
      fields.sum = reader.double();
      break;
    case 4:
      fields.schema = reader.sint();
      break;
    case 5:
      fields.zeroThreshold = reader.double();
      break;
    case 6:
      fields.zeroCount = reader.uint();
      break;
    case 7:
      fields.zeroCount = reader.double();
      break;
    case 8:
      fields.negativeSpans.push(readSpan(reader.message()));
      break;
    case 9:
      reader.sints(fields.negativeDeltas);
      break;
    case 10:
      reader.doubles(fields.negativeCounts);
      break;
    case 11:
      fields.positiveSpans.push(readSpan(reader.message()));
      break;
    case 12:
      reader.sints(fields.positiveDeltas);
      break;
    case 13:
      reader.doubles(fields.positiveCounts);
      break;
    case 14:
      fields.resetHint = reader.int();
      break;
    case 15:
      fields.t = reader.int();
      break;
    case 16:
      reader.doubles(fields.customValues);
      break;
    case 17:
      fields.startT = reader.int();
      break;
  }
}

function readSpan(reader: WireReader): Span {
  let offset = 0;
  let length = 0;
  while (reader.next()) {
    if (reader.field === 1) offset = reader.sint();
    else if (reader.field === 2) length = reader.uint();
  }
  if (length > SPAN_LENGTH_MAX)
    throw new VeronaError('bad_data', `protobuf: bucket span of ${length} buckets before ${reader.end}`);
  return { offset, length };
}

function toHistogram(fields: Fields): WireHistogram {
  const { isFloat, t, startT } = fields;
  const base = {
    counterResetHint: RESET_HINTS[fields.resetHint] ?? 'unknown',
    schema: fields.schema,
    zeroThreshold: fields.zeroThreshold,
    zeroCount: fields.zeroCount,
    count: fields.count,
    sum: fields.sum,
    positiveSpans: fields.positiveSpans,
    negativeSpans: fields.negativeSpans,
    customValues: fields.customValues,
  };
  const histogram: AnyHistogram = isFloat
    ? {
        ...base,
        kind: 'float',
        positiveBuckets: fields.positiveCounts,
        negativeBuckets: fields.negativeCounts,
      }
    : {
        ...base,
        kind: 'integer',
        positiveBuckets: fields.positiveDeltas,
        negativeBuckets: fields.negativeDeltas,
      };
  return { t, histogram, startT };
}

/** Writes the fields of one histogram message. */
export function writeHistogram(writer: WireWriter, { t, histogram, startT }: WireHistogram): void {
  const isFloat = histogram.kind === 'float';
  if (isFloat) writer.double(2, histogram.count);
  else writer.int(1, histogram.count);
  writer.double(3, histogram.sum);
  writer.sint(4, histogram.schema);
  writer.double(5, histogram.zeroThreshold);
  if (isFloat) writer.double(7, histogram.zeroCount);
  else writer.int(6, histogram.zeroCount);
  writeSide(writer, 8, histogram.negativeSpans, histogram.negativeBuckets, isFloat);
  writeSide(writer, 11, histogram.positiveSpans, histogram.positiveBuckets, isFloat);
  writer.int(14, RESET_HINTS.indexOf(histogram.counterResetHint));
  writer.int(15, t);
  if (histogram.customValues.length > 0) writer.packedDoubles(16, histogram.customValues);
  if (startT !== 0) writer.int(17, startT);
}

/** Spans at `field`, deltas at `field + 1` or counts at `field + 2`. */
function writeSide(
  writer: WireWriter,
  field: number,
  spans: readonly Span[],
  buckets: readonly number[],
  isFloat: boolean,
): void {
  for (const span of spans)
    writer.message(field, () => {
      writer.sint(1, span.offset);
      writer.int(2, span.length);
    });
  if (buckets.length === 0) return;
  if (isFloat) writer.packedDoubles(field + 2, buckets);
  else writer.packedSints(field + 1, buckets);
}
