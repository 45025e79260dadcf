import { putUvarint, uvarintSize } from '../encoding/varint.ts';
import type { IndexHeader } from './index-header.ts';

/** Of canonical label bytes, see `encoding/label-bytes.ts`. */
const TAG_PAIR = 0x0a;
const TAG_NAME = 0x0a;
const TAG_VALUE = 0x12;

/** The symbols of a block as one query needs them: those it has seen are remembered, up to a number. */
export class BlockSymbols {
  readonly #header: IndexHeader;
  readonly #keptMax: number;
  readonly #kept = new Map<number, Uint8Array>();
  /** Texts of label names: there are few. */
  readonly #names = new Map<number, string>();

  constructor(header: IndexHeader, keptMax: number) {
    this.#header = header;
    this.#keptMax = keptMax;
  }

  /** UTF-8; not to be changed. Throws `corrupt` when there is no such symbol. */
  bytesOf(number: number): Uint8Array {
    const known = this.#kept.get(number);
    if (known) return known;
    const bytes = this.#header.symbolBytes(number);
    if (this.#kept.size >= this.#keptMax) this.#kept.clear();
    this.#kept.set(number, bytes);
    return bytes;
  }

  textOf(number: number): string {
    return Buffer.from(this.bytesOf(number)).toString();
  }

  /** The number of the value of a label of a series (numbers of name, value, name, value …); -1 when it has none. */
  valueNumber(labelSymbols: readonly number[], name: string): number {
    for (let i = 0; i < labelSymbols.length; i += 2)
      if (this.#nameOf(labelSymbols[i]) === name) return labelSymbols[i + 1];
    return -1;
  }

  /** The value of a label of a series; empty when it has none. */
  valueOf(labelSymbols: readonly number[], name: string): string {
    const number = this.valueNumber(labelSymbols, name);
    return number < 0 ? '' : this.textOf(number);
  }

  /** Canonical label bytes of a series from the numbers of its symbols (name, value, name, value …). Throws `corrupt`. */
  labelBytes(labelSymbols: readonly number[]): Uint8Array {
    const texts = labelSymbols.map((number) => this.bytesOf(number));
    let size = 0;
    for (let i = 0; i < texts.length; i += 2) {
      const pair = fieldSize(texts[i]) + fieldSize(texts[i + 1]);
      size += 1 + uvarintSize(pair) + pair;
    }
    const out = new Uint8Array(size);
    let at = 0;
    for (let i = 0; i < texts.length; i += 2) {
      out[at++] = TAG_PAIR;
      at = putUvarint(out, at, fieldSize(texts[i]) + fieldSize(texts[i + 1]));
      at = putField(out, at, TAG_NAME, texts[i]);
      at = putField(out, at, TAG_VALUE, texts[i + 1]);
    }
    return out;
  }

  #nameOf(number: number): string {
    const known = this.#names.get(number);
    if (known !== undefined) return known;
    const text = this.textOf(number);
    if (this.#names.size >= this.#keptMax) this.#names.clear();
    this.#names.set(number, text);
    return text;
  }
}

function fieldSize({ length }: Uint8Array): number {
  return 1 + uvarintSize(length) + length;
}

function putField(out: Uint8Array, at: number, tag: number, text: Uint8Array): number {
  out[at++] = tag;
  at = putUvarint(out, at, text.length);
  out.set(text, at);
  return at + text.length;
}
