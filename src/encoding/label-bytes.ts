import { Labels } from '../model/labels.ts';

/**
 * Canonical label bytes: a label set as remote write 1.0 has it inside a TimeSeries, which makes the bytes of
 * a request usable as the key of a series without decoding them.
 *
 *   per label, sorted by name, unique, value not empty:
 *   ┌──────┬──────────┬──────┬──────────┬───────┬──────┬──────────┬───────┐
 *   │ 0x0a │ uvarint  │ 0x0a │ uvarint  │ name  │ 0x12 │ uvarint  │ value │
 *   │      │ len pair │      │ len name │ utf-8 │      │ len value│ utf-8 │
 *   └──────┴──────────┴──────┴──────────┴───────┴──────┴──────────┴───────┘
 *
 * All varints minimal. Equal label sets have equal bytes and only they.
 */
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The canonical bytes of a label set; a fresh array owned by the caller. */
export function encodeLabels(labels: Labels): Uint8Array {
  const parts = labels.flat.map((text) => encoder.encode(text));
  let size = 0;
  const inner: number[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const n =
      2 +
      varintSize(parts[i].length) +
      parts[i].length +
      varintSize(parts[i + 1].length) +
      parts[i + 1].length;
    inner.push(n);
    size += 1 + varintSize(n) + n;
  }
  const out = new Uint8Array(size);
  let at = 0;
  const field = (tag: number, bytes: Uint8Array) => {
    out[at++] = tag;
    at = putVarint(out, at, bytes.length);
    out.set(bytes, at);
    at += bytes.length;
  };
  for (let i = 0; i < parts.length; i += 2) {
    out[at++] = 0x0a;
    at = putVarint(out, at, inner[i / 2]);
    field(0x0a, parts[i]);
    field(0x12, parts[i + 1]);
  }
  return out;
}

/** The label set in `bytes[start … end)`, which must be canonical (it came from a source that checked). */
export function decodeLabels(bytes: Uint8Array, start = 0, end = bytes.length): Labels {
  const flat: string[] = [];
  visitLabels(bytes, start, end, (nameStart, nameEnd, valueStart, valueEnd) => {
    flat.push(
      decoder.decode(bytes.subarray(nameStart, nameEnd)),
      decoder.decode(bytes.subarray(valueStart, valueEnd)),
    );
  });
  return Labels.fromSorted(flat);
}

/** Calls `visit` with the byte ranges of each name and value, in order. */
export function visitLabels(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (nameStart: number, nameEnd: number, valueStart: number, valueEnd: number) => void,
): void {
  let at = start;
  const length = (): number => {
    let value = bytes[at++];
    if (value >= 128) {
      value &= 127;
      for (let shift = 7, byte = 128; byte >= 128; shift += 7) {
        byte = bytes[at++];
        value |= (byte & 127) << shift;
      }
    }
    return value;
  };
  while (at < end) {
    at++;
    length();
    at++;
    const nameLength = length();
    const nameStart = at;
    at += nameLength + 1;
    const valueLength = length();
    visit(nameStart, nameStart + nameLength, at, at + valueLength);
    at += valueLength;
  }
}

function varintSize(value: number): number {
  let size = 1;
  while (value >= 128) {
    value = Math.floor(value / 128);
    size++;
  }
  return size;
}

function putVarint(out: Uint8Array, at: number, value: number): number {
  while (value >= 128) {
    out[at++] = (value & 127) | 128;
    value >>>= 7;
  }
  out[at++] = value;
  return at;
}
