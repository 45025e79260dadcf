import type { ByteWriter } from '../format/byte-writer.ts';

/** Appends a label, given in UTF-8, as canonical label bytes have it (`encoding/label-bytes.ts`). */
export function appendPair(out: ByteWriter, name: Uint8Array, value: Uint8Array): void {
  out.byte(0x0a);
  out.uvarint(2 + varintSize(name.length) + name.length + varintSize(value.length) + value.length);
  out.byte(0x0a);
  out.uvarint(name.length);
  out.range(name, 0, name.length);
  out.byte(0x12);
  out.uvarint(value.length);
  out.range(value, 0, value.length);
}

function varintSize(value: number): number {
  return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}
