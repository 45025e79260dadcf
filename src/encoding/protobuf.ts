import { VeronaError } from '../model/errors.ts';
import {
  type ByteCursor,
  putBigUvarint,
  putUvarint,
  readBigUvarint,
  unzigzag,
  uvarintSize,
  VARINT_SIZE_MAX,
  zigzag,
} from './varint.ts';

/**
 * Fields of protobuf messages, one after the other:
 *
 *   ┌────────────────────────┬───────────────────────────────────────────────────────────┐
 *   │ uvarint number·8 + kind │ 0: varint   1: 8 bytes LE   2: uvarint size, bytes   5: 4 B │
 *   └────────────────────────┴───────────────────────────────────────────────────────────┘
 */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
export type WireType = (typeof WireType)[keyof typeof WireType];

/** Why a message does not parse; the number is the kernel's (`kernel/assembly/wire.ts`). */
export const WIRE_REASONS = [
  '',
  'field cut off',
  'varint too long',
  'bad field tag',
  'unsupported wire type',
  'unexpected wire type',
] as const;

/** `bad_data` with the place: the offset of the tag of the field that could not be read. */
export class WireError extends VeronaError {
  readonly offset: number;
  readonly reason: string;

  constructor(reason: string, offset: number) {
    super('bad_data', `protobuf: ${reason} at ${offset}`);
    this.name = 'WireError';
    this.offset = offset;
    this.reason = reason;
  }
}

const TAG_MAX = 2n ** 32n - 1n;
const textDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Walks the fields of the message in bytes[start … end). `next` moves to a field and checks all of it; the getters then
 * read its value and throw `WireError` when the field is of another kind.
 */
export class WireReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  /** The field under the reader. */
  field = 0;
  wireType: WireType = WireType.varint;
  tagStart: number;
  /** For `bytes` the contents without their size. */
  valueStart: number;
  valueEnd: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.end = end;
    this.tagStart = start;
    this.valueStart = start;
    this.valueEnd = start;
  }

  /** Moves to the next field; false at the end of the message. Throws `WireError`. */
  next(): boolean {
    if (this.valueEnd >= this.end) return false;
    this.tagStart = this.valueEnd;
    return this.#nextSmall() || this.#nextLarge();
  }

  /** The common case without `bigint`: a tag of one byte, and any varint or a size below 2²⁸. False leaves everything to `#nextLarge`. */
  #nextSmall(): boolean {
    const { bytes, end, tagStart } = this;
    const tag = bytes[tagStart];
    const wireType = tag & 7;
    if (tag >= 128 || tag < 8 || (wireType !== WireType.varint && wireType !== WireType.bytes)) return false;
    if (wireType === WireType.varint) return this.#nextVarint(tag);
    let value = 0;
    let at = tagStart + 1;
    for (let shift = 0; ; shift += 7, at++) {
      if (at >= end || shift > 21) return false;
      value |= (bytes[at] & 127) << shift;
      if (bytes[at] < 128) break;
    }
    at++;
    if (value > end - at) return false;
    this.field = tag >> 3;
    this.wireType = WireType.bytes;
    this.valueStart = at;
    this.valueEnd = at + value;
    return true;
  }

  /** Only its end is looked for: a time has six bytes. */
  #nextVarint(tag: number): boolean {
    const { bytes, tagStart } = this;
    const last = Math.min(this.end, tagStart + 1 + VARINT_SIZE_MAX);
    let at = tagStart + 1;
    while (at < last && bytes[at] >= 128) at++;
    if (at >= last) return false;
    this.field = tag >> 3;
    this.wireType = WireType.varint;
    this.valueStart = tagStart + 1;
    this.valueEnd = at + 1;
    return true;
  }

  #nextLarge(): boolean {
    const cursor: ByteCursor = { bytes: this.bytes, at: this.tagStart, end: this.end };
    const tag = this.#varintAt(cursor);
    if (tag > TAG_MAX || tag < 8n) throw new WireError('bad field tag', this.tagStart);
    this.field = Number(tag >> 3n);
    this.wireType = Number(tag & 7n) as WireType;
    const size = this.#sizeAt(cursor);
    this.valueStart = cursor.at;
    if (size > this.end - cursor.at) throw new WireError('field cut off', this.tagStart);
    this.valueEnd = cursor.at + size;
    return true;
  }

  /** Moves `cursor` to the beginning of the value and says how long it is. */
  #sizeAt(cursor: ByteCursor): number {
    switch (this.wireType) {
      case WireType.varint: {
        const ahead = { ...cursor };
        this.#varintAt(ahead);
        return ahead.at - cursor.at;
      }
      case WireType.fixed64:
        return 8;
      case WireType.bytes:
        return Number(this.#varintAt(cursor));
      case WireType.fixed32:
        return 4;
      default:
        throw new WireError('unsupported wire type', this.tagStart);
    }
  }

  #varintAt(cursor: ByteCursor): bigint {
    const start = cursor.at;
    try {
      return readBigUvarint(cursor);
    } catch {
      const reason = cursor.end - start < VARINT_SIZE_MAX ? 'field cut off' : 'varint too long';
      throw new WireError(reason, this.tagStart);
    }
  }

  expect(wireType: WireType): void {
    if (this.wireType !== wireType) throw new WireError('unexpected wire type', this.tagStart);
  }

  /** uint64 and uint32, exact. */
  uint64(): bigint {
    this.expect(WireType.varint);
    return readBigUvarint({ bytes: this.bytes, at: this.valueStart, end: this.valueEnd });
  }

  /** Unsigned; beyond 2⁵³ the nearest number. */
  uint(): number {
    return this.#smallVarint() ?? Number(this.uint64());
  }

  /** int64, int32 and enums (two's complement); beyond 2⁵³ the nearest number. */
  int(): number {
    return this.#smallVarint() ?? Number(BigInt.asIntN(64, this.uint64()));
  }

  /** A varint of at most 7 bytes (49 bits: every time of these millennia), or undefined. */
  #smallVarint(): number | undefined {
    this.expect(WireType.varint);
    const size = this.valueEnd - this.valueStart;
    if (size > 7) return undefined;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 128 + (this.bytes[this.valueStart + i] & 127);
    return value;
  }

  /** sint64 and sint32 (zigzag); beyond 2⁵³ the nearest number. */
  sint(): number {
    return Number(unzigzag(this.uint64()));
  }

  bool(): boolean {
    return this.uint64() !== 0n;
  }

  double(): number {
    return this.#view(WireType.fixed64).getFloat64(0, true);
  }

  fixed64(): bigint {
    return this.#view(WireType.fixed64).getBigUint64(0, true);
  }

  /** sfixed64; beyond 2⁵³ the nearest number. */
  sfixed(): number {
    return Number(this.#view(WireType.fixed64).getBigInt64(0, true));
  }

  float(): number {
    return this.#view(WireType.fixed32).getFloat32(0, true);
  }

  fixed32(): number {
    return this.#view(WireType.fixed32).getUint32(0, true);
  }

  /** The contents, a view. */
  view(): Uint8Array {
    this.expect(WireType.bytes);
    return this.bytes.subarray(this.valueStart, this.valueEnd);
  }

  /** Throws `WireError` when it is not UTF-8. */
  string(): string {
    try {
      return textDecoder.decode(this.view());
    } catch (error) {
      if (error instanceof WireError) throw error;
      throw new WireError('text is not UTF-8', this.tagStart);
    }
  }

  /** A reader of the message inside this field. */
  message(): WireReader {
    this.expect(WireType.bytes);
    return new WireReader(this.bytes, this.valueStart, this.valueEnd);
  }

  /** Adds the elements of a repeated double, packed or single. */
  doubles(out: number[]): void {
    if (this.wireType === WireType.fixed64) return void out.push(this.double());
    const view = this.#packed(8);
    for (let i = 0; i < view.byteLength; i += 8) out.push(view.getFloat64(i, true));
  }

  /** Adds the elements of a repeated fixed64, packed or single. */
  fixed64s(out: bigint[]): void {
    if (this.wireType === WireType.fixed64) return void out.push(this.fixed64());
    const view = this.#packed(8);
    for (let i = 0; i < view.byteLength; i += 8) out.push(view.getBigUint64(i, true));
  }

  /** Adds the elements of a repeated varint field, packed or single, as unsigned 64-bit values. */
  uint64s(out: bigint[]): void {
    if (this.wireType === WireType.varint) return void out.push(this.uint64());
    this.expect(WireType.bytes);
    const cursor: ByteCursor = { bytes: this.bytes, at: this.valueStart, end: this.valueEnd };
    while (cursor.at < cursor.end) out.push(this.#varintAt(cursor));
  }

  /** Adds the elements of a repeated uint32 or uint64; beyond 2⁵³ the nearest number. */
  uints(out: number[]): void {
    const values: bigint[] = [];
    this.uint64s(values);
    for (const value of values) out.push(Number(value));
  }

  /** Adds the elements of a repeated sint64 or sint32. */
  sints(out: number[]): void {
    const values: bigint[] = [];
    this.uint64s(values);
    for (const value of values) out.push(Number(unzigzag(value)));
  }

  #packed(width: number): DataView {
    const view = this.#view(WireType.bytes);
    if (view.byteLength % width !== 0) throw new WireError('field cut off', this.tagStart);
    return view;
  }

  #view(wireType: WireType): DataView {
    this.expect(wireType);
    return new DataView(
      this.bytes.buffer,
      this.bytes.byteOffset + this.valueStart,
      this.valueEnd - this.valueStart,
    );
  }
}

const textEncoder = new TextEncoder();

/** Writes fields into a buffer that grows. Values equal to a field's default are written too: the caller decides. */
export class WireWriter {
  #buffer: Uint8Array;
  #at = 0;

  constructor(capacity = 256) {
    this.#buffer = new Uint8Array(capacity);
  }

  get byteLength(): number {
    return this.#at;
  }

  /** What was written. A view, valid until the next write. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }

  /** Starts again in the same buffer. */
  reset(): void {
    this.#at = 0;
  }

  /** int64, uint64, int32, uint32, enum: a safe integer, negative ones in two's complement. */
  int(field: number, value: number): void {
    this.#tag(field, WireType.varint);
    this.#integer(value);
  }

  uint64(field: number, value: bigint): void {
    this.#tag(field, WireType.varint);
    this.#varint(BigInt.asUintN(64, value));
  }

  sint(field: number, value: number): void {
    this.#tag(field, WireType.varint);
    this.#varint(zigzag(BigInt(value)));
  }

  bool(field: number, value: boolean): void {
    this.int(field, value ? 1 : 0);
  }

  double(field: number, value: number): void {
    this.#tag(field, WireType.fixed64);
    this.#reserve(8);
    this.#view().setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  fixed64(field: number, value: bigint): void {
    this.#tag(field, WireType.fixed64);
    this.#reserve(8);
    this.#view().setBigUint64(this.#at, value, true);
    this.#at += 8;
  }

  float(field: number, value: number): void {
    this.#tag(field, WireType.fixed32);
    this.#reserve(4);
    this.#view().setFloat32(this.#at, value, true);
    this.#at += 4;
  }

  string(field: number, value: string): void {
    this.view(field, textEncoder.encode(value));
  }

  view(field: number, value: Uint8Array): void {
    this.#tag(field, WireType.bytes);
    this.#integer(value.length);
    this.raw(value);
  }

  /** A message inside this one, written by `write` into this writer. */
  message(field: number, write: (writer: this) => void): void {
    this.#tag(field, WireType.bytes);
    const start = this.#at;
    write(this);
    const size = this.#at - start;
    const prefix = uvarintSize(size);
    this.#reserve(prefix);
    this.#buffer.copyWithin(start + prefix, start, this.#at);
    putBigUvarint(this.#buffer, start, BigInt(size));
    this.#at += prefix;
  }

  packedUints(field: number, values: ArrayLike<number>): void {
    this.message(field, () => {
      for (let i = 0; i < values.length; i++) this.#integer(values[i]);
    });
  }

  packedSints(field: number, values: ArrayLike<number>): void {
    this.message(field, () => {
      for (let i = 0; i < values.length; i++) this.#varint(zigzag(BigInt(values[i])));
    });
  }

  packedDoubles(field: number, values: ArrayLike<number>): void {
    this.message(field, () => {
      this.#reserve(8 * values.length);
      for (let i = 0; i < values.length; i++, this.#at += 8)
        this.#view().setFloat64(this.#at, values[i], true);
    });
  }

  /** Bytes as they are, without tag. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #tag(field: number, wireType: WireType): void {
    this.#integer(field * 8 + wireType);
  }

  /** A safe integer, the small ones without `bigint`. */
  #integer(value: number): void {
    if (value < 0) return void this.#varint(BigInt.asUintN(64, BigInt(value)));
    this.#reserve(10);
    this.#at = putUvarint(this.#buffer, this.#at, value);
  }

  #varint(value: bigint): void {
    this.#reserve(10);
    this.#at = putBigUvarint(this.#buffer, this.#at, value);
  }

  #view(): DataView {
    return new DataView(this.#buffer.buffer);
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#buffer.length, this.#at + size));
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}
