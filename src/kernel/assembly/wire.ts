// Protobuf fields; the twin is encoding/protobuf.ts. Functions answer through the globals here.

/** Numbers of WIRE_REASONS (encoding/protobuf.ts) and MALFORMED_REASONS (malformed-reason.ts). */
export const CUT_OFF: u32 = 1;
export const VARINT_TOO_LONG: u32 = 2;
export const BAD_TAG: u32 = 3;
export const UNSUPPORTED_TYPE: u32 = 4;
export const UNEXPECTED_TYPE: u32 = 5;
export const SYMBOL_OUT_OF_RANGE: u32 = 6;
export const ODD_REFERENCES: u32 = 7;
export const LABELS_TOO_LONG: u32 = 8;
export const TOO_MANY_LABEL_BYTES: u32 = 9;

export const TYPE_VARINT: u32 = 0;
export const TYPE_FIXED64: u32 = 1;
export const TYPE_BYTES: u32 = 2;
export const TYPE_FIXED32: u32 = 5;

/** The varint read last. */
export let varint: u64 = 0;
/** The field read last; `valueStart` … `valueEnd` is its value, for bytes without their size. */
export let fieldNumber: u32 = 0;
export let fieldType: u32 = 0;
export let tagStart: u32 = 0;
export let valueStart: u32 = 0;
export let valueEnd: u32 = 0;
/** Why the last read failed. */
export let wireReason: u32 = 0;

/** Reads a varint before `end`; the place after it, 0 when it is cut off or longer than 10 bytes. */
@inline export function readVarint(p: u32, end: u32): u32 {
  if (p < end) {
    let b = load<u8>(p) as u64;
    if (b < 128) {
      varint = b;
      return p + 1;
    }
  }
  return readLongVarint(p, end);
}

function readLongVarint(p: u32, end: u32): u32 {
  let left = end - p;
  let value: u64 = 0;
  let n = min<u32>(left, 10);
  for (let i: u32 = 0; i < n; i++) {
    let b = load<u8>(p + i) as u64;
    value |= (b & 127) << ((7 * i) as u64);
    if (b < 128) {
      varint = value;
      return p + i + 1;
    }
  }
  wireReason = left < 10 ? CUT_OFF : VARINT_TOO_LONG;
  return 0;
}

/** Reads and checks the whole field at `p` < `end`; false with `wireReason` when it cannot be read. */
export function readField(p: u32, end: u32): bool {
  tagStart = p;
  p = readVarint(p, end);
  if (p == 0) return false;
  let tag = varint;
  if (tag > 0xffffffff || tag < 8) return failed(BAD_TAG);
  fieldNumber = (tag as u32) >> 3;
  fieldType = (tag as u32) & 7;
  let size: u64 = 8;
  if (fieldType == TYPE_BYTES) {
    p = readVarint(p, end);
    if (p == 0) return false;
    size = varint;
  } else if (fieldType == TYPE_VARINT) {
    let next = readVarint(p, end);
    if (next == 0) return false;
    size = (next - p) as u64;
  } else if (fieldType == TYPE_FIXED32) size = 4;
  else if (fieldType != TYPE_FIXED64) return failed(UNSUPPORTED_TYPE);
  valueStart = p;
  if (size > ((end - p) as u64)) return failed(CUT_OFF);
  valueEnd = p + (size as u32);
  return true;
}

/** Whether the field read last is of this type; sets `wireReason` when not. */
@inline export function isOfType(type: u32): bool {
  return fieldType == type || failed(UNEXPECTED_TYPE);
}

export function failed(reason: u32): bool {
  wireReason = reason;
  return false;
}
