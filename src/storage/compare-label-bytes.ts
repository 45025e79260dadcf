import { labelEnd } from '../encoding/label-bytes.ts';

/**
 * Orders label sets in canonical label bytes (`encoding/label-bytes.ts`) as `compareLabels` does: pair by pair, name
 * then value, the shorter set first. The bytes themselves do not order that way, since lengths stand before texts.
 */
export function compareLabelBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  let same = 0;
  while (same < shorter && a[same] === b[same]) same++;
  // Bytes that end where the others go on end with a label.
  if (same === shorter) return a.length - b.length;
  // Up to the label that differs the lengths are the same too, so that only the texts from there on are looked at.
  let label = 0;
  for (let end = labelEnd(a, 0); end <= same; end = labelEnd(a, label)) label = end;
  const x = new TextCursor(a, label);
  const y = new TextCursor(b, label);
  for (;;) {
    const hasA = x.next();
    const hasB = y.next();
    if (!hasA || !hasB) return Number(hasA) - Number(hasB);
    const order = compareRanges(a, x.start, x.end, b, y.start, y.end);
    if (order !== 0) return order;
  }
}

/** Stands on one name or value after the other. */
class TextCursor {
  readonly #bytes: Uint8Array;
  #at = 0;
  #isName = false;
  start = 0;
  end = 0;

  /** Begins at the label whose tag stands at `start`. */
  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#at = start;
  }

  next(): boolean {
    if (this.#at >= this.#bytes.length) return false;
    this.#isName = !this.#isName;
    if (this.#isName) {
      // The pair's own tag and length.
      this.#at++;
      this.#varint();
    }
    this.#at++;
    const length = this.#varint();
    this.start = this.#at;
    this.end = this.#at += length;
    return true;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  }
}

/** UTF-8 bytes order as the code points they encode. */
function compareRanges(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < length; i++) {
    const order = a[aStart + i] - b[bStart + i];
    if (order !== 0) return order;
  }
  return aEnd - aStart - (bEnd - bStart);
}
