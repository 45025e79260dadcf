import { visitLabels } from './label-bytes.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
/** The letter of each control character that has a short form. */
const SHORT_FORMS = new Map([
  [0x08, 0x62],
  [0x09, 0x74],
  [0x0a, 0x6e],
  [0x0c, 0x66],
  [0x0d, 0x72],
]);
const HEX = new TextEncoder().encode('0123456789abcdef');
/** The longest that a byte becomes: six characters for a control character. */
const ESCAPED_MAX = 6;

/** Writes label sets as JSON objects, `{"__name__":"up","job":"x"}`, straight from their canonical bytes. */
export class LabelJson {
  #out = new Uint8Array(1024);
  #at = 0;

  /** The object as bytes: a view, valid until the next call. */
  write(bytes: Uint8Array, start: number, end: number): Uint8Array {
    // Tags and lengths of a label are at least as many bytes as its quotes, colon and comma, but for the braces.
    const most = ESCAPED_MAX * (end - start) + 2;
    if (most > this.#out.length) this.#out = new Uint8Array(2 * most);
    this.#out[0] = 0x7b;
    this.#at = 1;
    visitLabels(bytes, start, end, (nameStart, nameEnd, valueStart, valueEnd) => {
      if (this.#at > 1) this.#out[this.#at++] = COMMA;
      this.#text(bytes, nameStart, nameEnd);
      this.#out[this.#at++] = COLON;
      this.#text(bytes, valueStart, valueEnd);
    });
    this.#out[this.#at++] = 0x7d;
    return this.#out.subarray(0, this.#at);
  }

  #text(bytes: Uint8Array, start: number, end: number): void {
    const out = this.#out;
    let to = this.#at;
    out[to++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = bytes[i];
      if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH) to = escapeByte(byte, out, to);
      else out[to++] = byte;
    }
    out[to++] = QUOTE;
    this.#at = to;
  }
}

function escapeByte(byte: number, out: Uint8Array, to: number): number {
  out[to++] = BACKSLASH;
  const letter = byte < 0x20 ? SHORT_FORMS.get(byte) : byte;
  if (letter !== undefined) {
    out[to++] = letter;
    return to;
  }
  out.set([0x75, 0x30, 0x30, HEX[byte >> 4], HEX[byte & 15]], to);
  return to + 5;
}
