import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import type { ByteRange, LabelColumn } from './label-column.ts';
import { METADATA_LABELS } from './metadata-labels.ts';

const encoder = new TextEncoder();

/**
 * Which labels make two rows belong together: those named (`by`, `on`) or all but those named (`without`,
 * `ignoring`; then the metric name never counts).
 */
export class LabelGrouping {
  readonly names: ReadonlySet<string>;
  readonly without: boolean;
  readonly #encoded: Uint8Array[];
  readonly #hidden: Uint8Array[];

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

  /** The byte ranges that `findRanges` found: start and end of each. Whole pairs, neighbours as one. */
  ranges = new Int32Array(64);
  rangeCount = 0;

  /** Finds the labels that count in the canonical bytes of a row. */
  findRanges({ bytes, start, end }: ByteRange, metadataHidden: boolean): void {
    this.rangeCount = 0;
    if (this.#encoded.length === 0 && !metadataHidden) {
      if (this.without && start < end) this.#addRange(start, end);
      return;
    }
    if (!this.without && this.#encoded.length === 0) return;
    let found = 0;
    let at = start;
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
      const isNamed = contains(this.#encoded, bytes, nameStart, nameLength);
      if (isNamed) found++;
      let counts = isNamed !== this.without;
      if (counts && metadataHidden) counts = !contains(this.#hidden, bytes, nameStart, nameLength);
      if (counts) this.#addRange(pairStart, pairEnd);
      at = pairEnd;
      if (!this.without && found === this.#encoded.length) return;
    }
  }

  #addRange(start: number, end: number): void {
    const last = 2 * this.rangeCount - 1;
    if (last > 0 && this.ranges[last] === start) {
      this.ranges[last] = end;
      return;
    }
    if (last + 2 >= this.ranges.length) {
      const larger = new Int32Array(2 * this.ranges.length);
      larger.set(this.ranges);
      this.ranges = larger;
    }
    this.ranges[last + 1] = start;
    this.ranges[last + 2] = end;
    this.rangeCount++;
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
