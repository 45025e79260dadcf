import { encodeLabels, visitLabels } from '../encoding/label-bytes.ts';
import { compareStrings, Labels } from '../model/labels.ts';

/** External labels that every series of a source gets (they win over labels of the same name), and labels that it loses. */
export class LabelChange {
  readonly add: Labels;
  readonly remove: ReadonlySet<string>;
  /** Names below this one, in byte order, are not touched; undefined when nothing changes. */
  readonly #firstName: Uint8Array | undefined;
  /** Added pairs in order of name: name, and the pair as canonical label bytes. */
  readonly #added: readonly { readonly name: Uint8Array; readonly pair: Uint8Array }[];
  readonly #dropped: readonly Uint8Array[];

  constructor(add: Labels, remove: Iterable<string> = []) {
    this.add = add;
    this.remove = new Set(remove);
    const bytes = (text: string) => new TextEncoder().encode(text);
    this.#added = [...add].map(([name, value]) => ({
      name: bytes(name),
      pair: encodeLabels(Labels.fromSorted([name, value])),
    }));
    const names = [...new Set([...this.remove, ...[...add].map(([name]) => name)])].sort(compareStrings);
    this.#dropped = names.map(bytes);
    this.#firstName = this.#dropped[0];
  }

  get isNothing(): boolean {
    return this.#firstName === undefined;
  }

  /** The changed label set of bytes[start … end) as canonical label bytes. A fresh array, or a view when nothing changes. */
  apply(bytes: Uint8Array, start: number, end: number): Uint8Array {
    if (this.isNothing) return bytes.subarray(start, end);
    const out = new Uint8Array(end - start + this.#addedSize());
    let at = 0;
    let pairStart = start;
    let nextAdded = 0;
    const put = (source: Uint8Array, from: number, to: number) => {
      out.set(source.subarray(from, to), at);
      at += to - from;
    };
    const addBelow = (nameStart: number, nameEnd: number) => {
      for (; nextAdded < this.#added.length; nextAdded++) {
        const { name, pair } = this.#added[nextAdded];
        if (compareBytes(name, 0, name.length, bytes, nameStart, nameEnd) > 0) return;
        put(pair, 0, pair.length);
      }
    };
    visitLabels(bytes, start, end, (nameStart, nameEnd, _valueStart, valueEnd) => {
      addBelow(nameStart, nameEnd);
      if (!this.#isDropped(bytes, nameStart, nameEnd)) put(bytes, pairStart, valueEnd);
      pairStart = valueEnd;
    });
    for (; nextAdded < this.#added.length; nextAdded++) {
      const { pair } = this.#added[nextAdded];
      put(pair, 0, pair.length);
    }
    return out.subarray(0, at);
  }

  /**
   * Where the first pair of the label set ends when its name is below every changed one, else `start`. Series keep their
   * order between different first pairs, whatever changes behind them.
   */
  stablePrefix(bytes: Uint8Array, start: number, end: number): number {
    const first = this.#firstName;
    if (first === undefined) return end;
    let stable = start;
    visitLabels(
      bytes,
      start,
      firstPairEnd(bytes, start, end),
      (nameStart, nameEnd, _valueStart, valueEnd) => {
        if (compareBytes(bytes, nameStart, nameEnd, first, 0, first.length) < 0) stable = valueEnd;
      },
    );
    return stable;
  }

  #isDropped(bytes: Uint8Array, nameStart: number, nameEnd: number): boolean {
    for (const name of this.#dropped)
      if (compareBytes(name, 0, name.length, bytes, nameStart, nameEnd) === 0) return true;
    return false;
  }

  #addedSize(): number {
    return this.#added.reduce((sum, { pair }) => sum + pair.length, 0);
  }
}

function firstPairEnd(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return end;
  let size = 0;
  let at = start + 1;
  for (let shift = 0; ; shift += 7) {
    size |= (bytes[at] & 127) << shift;
    if (bytes[at++] < 128) return at + size;
  }
}

function compareBytes(
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
