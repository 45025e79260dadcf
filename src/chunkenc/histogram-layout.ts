import { VeronaError } from '../model/errors.ts';
import { CUSTOM_BUCKETS_SCHEMA, type Span } from '../model/histogram.ts';
import { countBuckets } from '../model/histogram-spans.ts';
import { type BitReader, type BitWriter, joinFloat, splitFloat } from './bits.ts';
import { readVarbitInt, readVarbitUint, writeVarbitInt, writeVarbitUint } from './varbit.ts';

/**
 * What all histograms of a chunk have in common, at its beginning:
 *
 *   ┌────────────────┬───────────────┬────────────────┬────────────────┬─────────────────────────────┐
 *   │ zero threshold │ schema varbit │ positive spans │ negative spans │ custom bounds if schema -53 │
 *   └────────────────┴───────────────┴────────────────┴────────────────┴─────────────────────────────┘
 *   zero threshold: 1 byte: 0 → 0; 1 … 254 → 2^(byte-244); 255 → 8 bytes of a float follow
 *   spans:          count varbit-uint, then length varbit-uint and offset varbit-int of each
 *   custom bounds:  count varbit-uint, then each: thousandths + 1 as varbit-uint, or a 0 bit and 8 bytes of a float
 */
export interface HistogramLayout {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly positiveSpans: readonly Span[];
  readonly negativeSpans: readonly Span[];
  readonly customValues: readonly number[];
}

/** The largest bound in thousandths that fits four bytes. */
const THOUSANDTHS_MAX = 33_554_430;

export function writeLayout(out: BitWriter, layout: HistogramLayout): void {
  writeZeroThreshold(out, layout.zeroThreshold);
  writeVarbitInt(out, layout.schema);
  writeSpans(out, layout.positiveSpans);
  writeSpans(out, layout.negativeSpans);
  if (layout.schema !== CUSTOM_BUCKETS_SCHEMA) return;
  writeVarbitUint(out, layout.customValues.length);
  for (const bound of layout.customValues) writeBound(out, bound);
}

/** Throws `corrupt`, also when there are more buckets than the chunk has bits. */
export function readLayout(from: BitReader): HistogramLayout {
  const zeroThreshold = readZeroThreshold(from);
  const schema = readVarbitInt(from);
  if (schema !== CUSTOM_BUCKETS_SCHEMA && (schema < -9 || schema > 52))
    throw new VeronaError('corrupt', `histogram schema ${schema}`);
  const positiveSpans = readSpans(from);
  const negativeSpans = readSpans(from);
  const customValues = schema === CUSTOM_BUCKETS_SCHEMA ? readBounds(from) : [];
  const buckets = countBuckets(positiveSpans) + countBuckets(negativeSpans);
  if (buckets > from.bitsLeft)
    throw new VeronaError('corrupt', `${buckets} buckets in ${from.bitsLeft} bits`);
  return { schema, zeroThreshold, positiveSpans, negativeSpans, customValues };
}

function writeZeroThreshold(out: BitWriter, threshold: number): void {
  if (threshold === 0) {
    out.write(0, 8);
    return;
  }
  const words = splitFloat(threshold);
  const exponent = (words[1] >>> 20) - 1022;
  const isPowerOfTwo = (words[1] & 0xfffff) === 0 && words[0] === 0;
  if (isPowerOfTwo && exponent >= -242 && exponent <= 11) out.write(exponent + 243, 8);
  else {
    out.write(255, 8);
    out.write64(words[1], words[0]);
  }
}

function readZeroThreshold(from: BitReader): number {
  const byte = from.read(8);
  if (byte === 0) return 0;
  return byte === 255 ? readFloat(from) : 2 ** (byte - 244);
}

function writeSpans(out: BitWriter, spans: readonly Span[]): void {
  writeVarbitUint(out, spans.length);
  for (const { offset, length } of spans) {
    writeVarbitUint(out, length);
    writeVarbitInt(out, offset);
  }
}

function readSpans(from: BitReader): Span[] {
  const count = readVarbitUint(from);
  if (count * 2 > from.bitsLeft) throw new VeronaError('corrupt', `${count} spans in ${from.bitsLeft} bits`);
  const spans: Span[] = [];
  for (let i = 0; i < count; i++) {
    const length = readVarbitUint(from);
    const offset = readVarbitInt(from);
    if (offset !== (offset | 0)) throw new VeronaError('corrupt', `span offset ${offset}`);
    spans.push({ offset, length });
  }
  return spans;
}

function writeBound(out: BitWriter, bound: number): void {
  const thousandths = bound * 1000;
  const whole = Math.round(thousandths);
  if (thousandths >= 0 && thousandths <= THOUSANDTHS_MAX && whole / 1000 === bound) {
    writeVarbitUint(out, whole + 1);
    return;
  }
  out.write(0, 1);
  const words = splitFloat(bound);
  out.write64(words[1], words[0]);
}

function readBounds(from: BitReader): number[] {
  const count = readVarbitUint(from);
  if (count * 5 > from.bitsLeft) throw new VeronaError('corrupt', `${count} bounds in ${from.bitsLeft} bits`);
  return Array.from({ length: count }, () => {
    const thousandths = readVarbitUint(from);
    return thousandths === 0 ? readFloat(from) : (thousandths - 1) / 1000;
  });
}

function readFloat(from: BitReader): number {
  const high = from.read(32);
  return joinFloat(high, from.read(32));
}
