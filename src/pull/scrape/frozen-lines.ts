import type { BodyLines } from '../../kernel/scrape-kernel.ts';
import type { SeriesTarget } from '../../storage/series-writer.ts';
import { KnownLine } from './known-line.ts';

/**
 * The lines of a target that exposes the same ones again and again, as bytes and numbers: a tenth of what they need as
 * objects, nothing that a collector walks through, and compared in one call. Each line has its value and no more: no
 * timestamp, no exemplar.
 */
export class FrozenLines implements BodyLines {
  readonly contentType: string;
  readonly text: Uint8Array;
  readonly records: Uint32Array;
  /** By number of the value: where its series is, 0 when relabelling dropped it. */
  readonly slots: Uint32Array;
  readonly refs: Float64Array;
  /** Series that are not dropped. */
  readonly keptCount: number;

  private constructor(
    contentType: string,
    text: Uint8Array,
    records: number[],
    series: readonly KnownLine[],
  ) {
    this.contentType = contentType;
    this.text = text;
    this.records = Uint32Array.from(records);
    this.slots = Uint32Array.from(series, ({ slot }) => slot);
    this.refs = Float64Array.from(series, ({ ref }) => ref);
    this.keptCount = series.filter(({ isDropped }) => !isDropped).length;
  }

  /** Of a body that these lines in their order are the whole of, but for an end without samples. */
  static of(body: Uint8Array, contentType: string, lines: readonly KnownLine[]): FrozenLines {
    const records: number[] = [];
    const series: KnownLine[] = [];
    const parts: Uint8Array[] = [];
    let at = 0;
    let textStart = 0;
    for (const line of lines) {
      const end = at + line.key.length;
      if (line.isSeries) {
        parts.push(body.subarray(textStart, end));
        if (at > textStart) records.push(2 * (at - textStart));
        records.push(2 * line.key.length + 1);
        series.push(line);
        const lineEnd = body.indexOf(NEWLINE, end);
        at = lineEnd === -1 ? body.length : lineEnd + 1;
        textStart = at;
      } else at = end;
    }
    if (textStart < body.length) {
      parts.push(body.subarray(textStart));
      records.push(2 * (body.length - textStart));
    }
    return new FrozenLines(contentType, Buffer.concat(parts), records, series);
  }

  /** Whether all series are where they were. */
  areHeldBy(target: SeriesTarget): boolean {
    return this.slots.every((slot, i) => slot === 0 || target.holds(slot, this.refs[i]));
  }

  /** As objects again, by number of the value. */
  thaw(iteration: number): KnownLine[] {
    const text = Buffer.from(this.text.buffer, this.text.byteOffset, this.text.byteLength).toString('latin1');
    const lines: KnownLine[] = [];
    let at = 0;
    for (const record of this.records) {
      const end = at + (record >>> 1);
      if ((record & 1) === 1) lines.push(this.#line(text.slice(at, end), lines.length, iteration));
      at = end;
    }
    return lines;
  }

  #line(key: string, i: number, iteration: number): KnownLine {
    const line = new KnownLine(key, true);
    line.slot = this.slots[i];
    line.ref = this.refs[i];
    line.isDropped = line.slot === 0;
    line.isCounted = !line.isDropped;
    line.seen = iteration;
    line.tracked = line.isDropped ? 0 : iteration;
    return line;
  }
}

const NEWLINE = 0x0a;
