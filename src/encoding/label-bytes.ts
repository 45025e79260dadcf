import { Labels } from '../model/labels.ts';
import { asciiText } from './ascii-text.ts';
import { putUvarint, uvarintSize } from './varint.ts';

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
  const { flat } = labels;
  const lengths = textLengths(flat);
  let size = 0;
  for (let i = 0; i < flat.length; i += 2) {
    const pair = pairSize(lengths[i], lengths[i + 1]);
    size += 1 + uvarintSize(pair) + pair;
  }
  const out = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < flat.length; i += 2) {
    out[at++] = 0x0a;
    at = putUvarint(out, at, pairSize(lengths[i], lengths[i + 1]));
    at = putText(out, at, 0x0a, flat[i], lengths[i]);
    at = putText(out, at, 0x12, flat[i + 1], lengths[i + 1]);
  }
  return out;
}

function pairSize(name: number, value: number): number {
  return 2 + uvarintSize(name) + name + uvarintSize(value) + value;
}

/** Reused between calls: UTF-8 lengths of the texts of one label set. */
let lengthsScratch = new Uint32Array(64);

function textLengths(flat: readonly string[]): Uint32Array {
  if (flat.length > lengthsScratch.length) lengthsScratch = new Uint32Array(2 * flat.length);
  for (let i = 0; i < flat.length; i++) lengthsScratch[i] = utf8Length(flat[i]);
  return lengthsScratch;
}

/** Lone surrogates count as U+FFFD, which is what they are encoded as. */
function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) length += 1;
    else {
      length += 2;
      const next = text.charCodeAt(i + 1);
      // A pair is two units and four bytes.
      if (unit >= 0xd800 && unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) i++;
    }
  }
  return length;
}

/** Names and values are nearly always ASCII and short: a loop is some ten times faster than a call of TextEncoder. */
function putText(out: Uint8Array, at: number, tag: number, text: string, length: number): number {
  out[at++] = tag;
  at = putUvarint(out, at, length);
  if (length === text.length) for (let i = 0; i < length; i++) out[at + i] = text.charCodeAt(i);
  else encoder.encodeInto(text, out.subarray(at, at + length));
  return at + length;
}

/** The label set in `bytes[start … end)`, which must be canonical (it came from a source that checked). */
export function decodeLabels(bytes: Uint8Array, start = 0, end = bytes.length): Labels {
  const flat: string[] = [];
  visitLabels(bytes, start, end, (nameStart, nameEnd, valueStart, valueEnd) => {
    flat.push(decodeText(bytes, nameStart, nameEnd), decodeText(bytes, valueStart, valueEnd));
  });
  return Labels.fromSorted(flat);
}

function decodeText(bytes: Uint8Array, start: number, end: number): string {
  return asciiText(bytes, start, end) ?? decoder.decode(bytes.subarray(start, end));
}

/** Calls `visit` with the byte ranges of each name and value, in order. */
export function visitLabels(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (nameStart: number, nameEnd: number, valueStart: number, valueEnd: number) => void,
): void {
  let at = start;
  while (at < end) {
    // Over the pair's tag and length, and the name's tag.
    at = afterVarint(bytes, at + 1) + 1;
    const nameStart = afterVarint(bytes, at);
    const nameEnd = textEnd(bytes, at);
    at = nameEnd + 1;
    const valueStart = afterVarint(bytes, at);
    at = textEnd(bytes, at);
    visit(nameStart, nameEnd, valueStart, at);
  }
}

let keyScratch = new Uint8Array(1024);

/**
 * A text that orders as `compareLabels` orders the label sets, without making them: names and values, each with an end
 * below all of its characters. Undefined when not all are ASCII, or one holds that end itself.
 */
export function sortKey(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start > keyScratch.length) keyScratch = new Uint8Array(2 * (end - start));
  let to = 0;
  let isPlain = true;
  const put = (from: number, until: number) => {
    for (let i = from; i < until; i++) {
      const byte = bytes[i];
      if (byte === 0 || byte >= 128) isPlain = false;
      keyScratch[to++] = byte;
    }
    keyScratch[to++] = 0;
  };
  visitLabels(bytes, start, end, (nameStart, nameEnd, valueStart, valueEnd) => {
    put(nameStart, nameEnd);
    put(valueStart, valueEnd);
  });
  return isPlain ? decoder.decode(keyScratch.subarray(0, to)) : undefined;
}

/** Whether all names and values are ASCII. */
export function isAsciiLabels(bytes: Uint8Array): boolean {
  let union = 0;
  for (let at = 0; at < bytes.length; ) {
    // Over the pair's tag and length, and the name's tag.
    at = afterVarint(bytes, at + 1) + 1;
    for (let text = 0; text < 2; text++) {
      const end = textEnd(bytes, at);
      for (at = afterVarint(bytes, at); at < end; at++) union |= bytes[at];
      // Over the value's tag.
      if (text === 0) at++;
    }
  }
  return union < 128;
}

/** The place after the varint at `at`. */
export function afterVarint(bytes: Uint8Array, at: number): number {
  while (bytes[at] >= 128) at++;
  return at + 1;
}

/** The end of the text whose length, a varint, stands at `at`. */
export function textEnd(bytes: Uint8Array, at: number): number {
  return afterVarint(bytes, at) + varintAt(bytes, at);
}

/** The end of the label whose tag stands at `at`. */
export function labelEnd(bytes: Uint8Array, at: number): number {
  return textEnd(bytes, at + 1);
}

function varintAt(bytes: Uint8Array, at: number): number {
  let value = bytes[at] & 127;
  for (let shift = 7; bytes[at] >= 128; shift += 7) value |= (bytes[++at] & 127) << shift;
  return value;
}
