import { decodeLabels, encodeLabels, sortKey } from '../../encoding/label-bytes.ts';
import { LabelJson } from '../../encoding/label-json.ts';
import { compareLabels, type Labels } from '../../model/labels.ts';
import { LabelGrouping } from './label-grouping.ts';
import { METADATA_LABELS } from './metadata-labels.ts';
import type { WorkMeter } from './work-meter.ts';

/**
 * The label sets of the rows of a batch, decoded only when somebody asks: most rows end in an aggregation that
 * looks at a few label bytes of each. Immutable to its readers.
 */
export class LabelColumn {
  readonly count: number;
  readonly #bytes: Uint8Array | undefined;
  readonly #starts: Uint32Array | undefined;
  readonly #ends: Uint32Array | undefined;
  /** Made when first needed, unless there are no bytes. */
  #decoded: (Labels | undefined)[] | undefined;
  #plain: LabelColumn | undefined;
  /** Hides the metadata labels of every row. */
  readonly metadataHidden: boolean;

  private constructor(
    count: number,
    bytes: Uint8Array | undefined,
    starts: Uint32Array | undefined,
    ends: Uint32Array | undefined,
    decoded: (Labels | undefined)[] | undefined,
    metadataHidden: boolean,
  ) {
    this.count = count;
    this.#bytes = bytes;
    this.#starts = starts;
    this.#ends = ends;
    this.#decoded = decoded;
    this.metadataHidden = metadataHidden;
  }

  /** Row `i` is the canonical label bytes [offsets[i], offsets[i + 1]). The arrays are kept, not copied. */
  static fromBytes(bytes: Uint8Array, offsets: Uint32Array, count: number): LabelColumn {
    return new LabelColumn(count, bytes, offsets, offsets.subarray(1), undefined, false);
  }

  /** As `toRanges` gives them. */
  static fromRanges(
    bytes: Uint8Array,
    starts: Uint32Array,
    ends: Uint32Array,
    metadataHidden: boolean,
  ): LabelColumn {
    return new LabelColumn(starts.length, bytes, starts, ends, undefined, metadataHidden);
  }

  /** The canonical label bytes of all rows in memory of their own. */
  toRanges(): {
    labelBytes: Uint8Array;
    labelStarts: Uint32Array;
    labelEnds: Uint32Array;
    metadataHidden: boolean;
  } {
    const row: ByteRange = { bytes: new Uint8Array(), start: 0, end: 0 };
    const labelStarts = new Uint32Array(this.count);
    const labelEnds = new Uint32Array(this.count);
    const bytes = new GrowingBytes();
    for (let i = 0; i < this.count; i++) {
      this.bytesOf(i, row);
      labelStarts[i] = bytes.length;
      bytes.append(row.bytes, row.start, row.end);
      labelEnds[i] = bytes.length;
    }
    return { labelBytes: bytes.bytes, labelStarts, labelEnds, metadataHidden: this.metadataHidden };
  }

  static from(labels: readonly Labels[]): LabelColumn {
    return new LabelColumn(labels.length, undefined, undefined, undefined, [...labels], false);
  }

  /** The rows of several columns one after the other; still undecoded when all are. */
  static concat(columns: readonly LabelColumn[]): LabelColumn {
    if (columns.length === 1) return columns[0];
    const hidden = columns.length > 0 && columns[0].metadataHidden;
    if (columns.some((column) => column.#bytes === undefined || column.metadataHidden !== hidden))
      return LabelColumn.from(columns.flatMap((column) => column.toArray()));
    const count = columns.reduce((sum, column) => sum + column.count, 0);
    const { bytes, baseOf } = joinBytes(columns.map((column) => column.#bytes!));
    const starts = new Uint32Array(count);
    const ends = new Uint32Array(count);
    let to = 0;
    for (const column of columns) {
      const base = baseOf.get(column.#bytes!)!;
      for (let i = 0; i < column.count; i++, to++) {
        starts[to] = base + column.#starts![i];
        ends[to] = base + column.#ends![i];
      }
    }
    return new LabelColumn(count, bytes, starts, ends, undefined, hidden);
  }

  at(i: number): Labels {
    this.#decoded ??= new Array(this.count);
    let labels = this.#decoded[i];
    if (labels === undefined) {
      labels = decodeLabels(this.#bytes!, this.#starts![i], this.#ends![i]);
      if (this.metadataHidden) labels = labels.drop(METADATA_LABELS);
      this.#decoded[i] = labels;
    }
    return labels;
  }

  toArray(): Labels[] {
    return Array.from({ length: this.count }, (_, i) => this.at(i));
  }

  /** A row as a JSON object, in bytes: a view, valid until the next call of any column. */
  jsonOf(i: number): Uint8Array {
    const plain = this.#withoutHidden();
    if (plain.#bytes !== undefined)
      return JSON_WRITER.write(plain.#bytes, plain.#starts![i], plain.#ends![i]);
    const bytes = encodeLabels(this.at(i));
    return JSON_WRITER.write(bytes, 0, bytes.length);
  }

  /** The numbers of the rows in the order of their label sets; equal ones stay as they are. */
  order(meter: WorkMeter): number[] {
    const rows = Array.from({ length: this.count }, (_, i) => i);
    const keys = this.#sortKeys(meter);
    if (keys !== undefined)
      return rows.sort((a, b) => {
        meter.compared();
        return keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : 0;
      });
    const labels = rows.map((row) => {
      meter.workedOn(0);
      return this.at(row);
    });
    return rows.sort((a, b) => {
      meter.compared();
      return compareLabels(labels[a], labels[b]);
    });
  }

  /** The same with hidden labels really gone. */
  #withoutHidden(): LabelColumn {
    if (!this.metadataHidden || this.#bytes === undefined) return this;
    return (this.#plain ??= this.project(LabelGrouping.everything()));
  }

  /** Texts that order as the label sets do; undefined where not all have one. */
  #sortKeys(meter: WorkMeter): string[] | undefined {
    if (this.#bytes === undefined) return undefined;
    const plain = this.#withoutHidden();
    const keys: string[] = [];
    for (let i = 0; i < plain.count; i++) {
      meter.workedOn(0);
      const key = sortKey(plain.#bytes!, plain.#starts![i], plain.#ends![i]);
      if (key === undefined) return undefined;
      keys.push(key);
    }
    return keys;
  }

  /** The given rows in the given order. */
  pick(rows: readonly number[]): LabelColumn {
    const decoded = this.#bytes === undefined ? rows.map((row) => this.#decoded![row]) : undefined;
    const starts = this.#starts && Uint32Array.from(rows, (row) => this.#starts![row]);
    const ends = this.#ends && Uint32Array.from(rows, (row) => this.#ends![row]);
    return new LabelColumn(rows.length, this.#bytes, starts, ends, decoded, this.metadataHidden);
  }

  /** The same rows without `__name__`, `__type__` and `__unit__`. Costs nothing until labels are read. */
  withoutMetadata(): LabelColumn {
    if (this.metadataHidden) return this;
    if (this.#bytes !== undefined)
      return new LabelColumn(this.count, this.#bytes, this.#starts, this.#ends, undefined, true);
    const decoded = this.#decoded!.map((labels) => labels!.drop(METADATA_LABELS));
    return new LabelColumn(this.count, undefined, undefined, undefined, decoded, true);
  }

  /** The labels of each row that count under a grouping, as bytes of their own. */
  project(grouping: LabelGrouping): LabelColumn {
    const row: ByteRange = { bytes: new Uint8Array(), start: 0, end: 0 };
    const starts = new Uint32Array(this.count);
    const ends = new Uint32Array(this.count);
    const bytes = new GrowingBytes();
    for (let i = 0; i < this.count; i++) {
      this.bytesOf(i, row);
      grouping.findRanges(row, this.metadataHidden);
      starts[i] = bytes.length;
      for (let r = 0; r < grouping.rangeCount; r++)
        bytes.append(row.bytes, grouping.ranges[2 * r], grouping.ranges[2 * r + 1]);
      ends[i] = bytes.length;
    }
    return new LabelColumn(this.count, bytes.bytes, starts, ends, undefined, false);
  }

  /** Where the canonical bytes of a row are; for a column made of label sets they are encoded into a fresh array. Hidden labels are still in there. */
  bytesOf(i: number, into: ByteRange): void {
    if (this.#bytes !== undefined) {
      into.bytes = this.#bytes;
      into.start = this.#starts![i];
      into.end = this.#ends![i];
    } else {
      into.bytes = encodeLabels(this.#decoded![i]!);
      into.start = 0;
      into.end = into.bytes.length;
    }
  }
}

const JSON_WRITER = new LabelJson();

class GrowingBytes {
  bytes = new Uint8Array(1024);
  length = 0;

  append(from: Uint8Array, start: number, end: number): void {
    const size = this.length + end - start;
    if (size > this.bytes.length) {
      const larger = new Uint8Array(2 * size);
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    if (end - start > 64) {
      this.bytes.set(from.subarray(start, end), this.length);
      this.length = size;
      return;
    }
    for (let i = start; i < end; i++) this.bytes[this.length++] = from[i];
  }
}

export interface ByteRange {
  bytes: Uint8Array;
  start: number;
  end: number;
}

/** Different arrays one after the other, and where each begins. Columns cut from one batch share theirs. */
function joinBytes(parts: readonly Uint8Array[]): { bytes: Uint8Array; baseOf: Map<Uint8Array, number> } {
  const baseOf = new Map<Uint8Array, number>();
  let size = 0;
  for (const part of parts) {
    if (baseOf.has(part)) continue;
    baseOf.set(part, size);
    size += part.length;
  }
  if (baseOf.size === 1) return { bytes: parts[0], baseOf };
  const bytes = new Uint8Array(size);
  for (const [part, base] of baseOf) bytes.set(part, base);
  return { bytes, baseOf };
}
