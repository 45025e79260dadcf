import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { type ByteRange, type LabelColumn, METADATA_LABELS } from './label-column.ts';

const encoder = new TextEncoder();
const latin1 = new TextDecoder('latin1');

/**
 * Which labels make two rows belong together: those named (`by`, `on`) or all but those named (`without`,
 * `ignoring`; then the metric name never counts). Rows with equal keys have equal labels under it, and only they.
 */
export class LabelGrouping {
  readonly names: ReadonlySet<string>;
  readonly without: boolean;
  readonly #encoded: Uint8Array[];
  readonly #hidden: Uint8Array[];
  readonly #range: ByteRange = { bytes: new Uint8Array(), start: 0, end: 0 };

  /** `without` ignores the metric name unless `nameCounts`. */
  constructor(names: Iterable<string>, without: boolean, nameCounts = false) {
    this.names = new Set(without && !nameCounts ? [...names, METRIC_NAME] : names);
    this.without = without;
    this.#encoded = [...this.names].map((name) => encoder.encode(name));
    this.#hidden = [...METADATA_LABELS].map((name) => encoder.encode(name));
  }

  /** All labels but those named; the metric name counts. */
  static allBut(names: Iterable<string>): LabelGrouping {
    return new LabelGrouping(names, true, true);
  }

  /** All labels, the metric name included. */
  static everything(): LabelGrouping {
    return LabelGrouping.allBut([]);
  }

  /** The labels of a row that count. */
  labelsOf(column: LabelColumn, i: number): Labels {
    return this.project(column.at(i));
  }

  project(labels: Labels): Labels {
    return this.without ? labels.drop(this.names) : labels.keep(this.names);
  }

  /** The canonical bytes of the labels that count, one character per byte. */
  keyOf(column: LabelColumn, i: number): string {
    if (!this.without && this.#encoded.length === 0) return '';
    const range = this.#range;
    column.bytesOf(i, range);
    return this.#keyOfBytes(range.bytes, range.start, range.end, column.metadataHidden);
  }

  #keyOfBytes(bytes: Uint8Array, start: number, end: number, metadataHidden: boolean): string {
    let key = '';
    let runStart = start;
    let at = start;
    let run = false;
    while (at < end) {
      const pairStart = at;
      at++;
      let pairLength = bytes[at++];
      if (pairLength >= 128) {
        pairLength &= 127;
        for (let shift = 7, byte = 128; byte >= 128; shift += 7) {
          byte = bytes[at++];
          pairLength |= (byte & 127) << shift;
        }
      }
      const pairEnd = at + pairLength;
      let nameLength = bytes[at + 1];
      let nameStart = at + 2;
      if (nameLength >= 128) {
        nameLength &= 127;
        for (let shift = 7, byte = 128; byte >= 128; shift += 7) {
          byte = bytes[nameStart++];
          nameLength |= (byte & 127) << shift;
        }
      }
      let counts = contains(this.#encoded, bytes, nameStart, nameLength) !== this.without;
      if (counts && metadataHidden) counts = !contains(this.#hidden, bytes, nameStart, nameLength);
      if (counts && !run) {
        runStart = pairStart;
        run = true;
      } else if (!counts && run) {
        key += textOf(bytes, runStart, pairStart);
        run = false;
      }
      at = pairEnd;
    }
    return run ? key + textOf(bytes, runStart, end) : key;
  }
}

function contains(names: readonly Uint8Array[], bytes: Uint8Array, start: number, length: number): boolean {
  next: for (const name of names) {
    if (name.length !== length) continue;
    for (let i = 0; i < length; i++) if (name[i] !== bytes[start + i]) continue next;
    return true;
  }
  return false;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > 48) return latin1.decode(bytes.subarray(start, end));
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text;
}
