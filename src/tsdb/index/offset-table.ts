import { VeronaError } from '../../model/errors.ts';
import { compareStrings } from '../../model/labels.ts';
import { ByteReader } from '../format/byte-reader.ts';
import { type IndexBytes, SAMPLE_EVERY, walkSection } from './sampled-section.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

interface NameEntries {
  readonly name: string;
  /** Place of every 32nd entry of the name in the file. */
  readonly places: number[];
  count: number;
  /** Where the entries of the name end. */
  end: number;
}

interface Entry {
  readonly value: string;
  readonly postings: number;
}

/** The postings offset table: where the postings of a label pair are. Every 32nd place is in memory. */
export class OffsetTable {
  readonly #file: IndexBytes;
  readonly #names: ReadonlyMap<string, NameEntries>;

  private constructor(file: IndexBytes, names: ReadonlyMap<string, NameEntries>) {
    this.#file = file;
    this.#names = names;
  }

  /** Verifies the table. Throws `corrupt`. */
  static async open(file: IndexBytes, offset: number): Promise<OffsetTable> {
    const names = new Map<string, NameEntries>();
    let last: NameEntries | undefined;
    await walkSection(file, offset, 'postings offset table', (reader, at) => {
      const start = reader.at;
      if (reader.uvarint() !== 2) throw new VeronaError('corrupt', 'entry without two keys');
      const nameBytes = reader.take(reader.length());
      reader.skip(reader.length());
      reader.uvarint();
      const name = decoder.decode(nameBytes);
      if (!last || last.name !== name) {
        last = names.get(name) ?? { name, places: [], count: 0, end: 0 };
        names.set(name, last);
      }
      if (last.count++ % SAMPLE_EVERY === 0) last.places.push(at);
      last.end = at + reader.at - start;
    });
    return new OffsetTable(file, names);
  }

  /** Sorted. */
  labelNames(): string[] {
    return [...this.#names.keys()].filter((name) => name !== '').sort(compareStrings);
  }

  valueCount(name: string): number {
    return this.#names.get(name)?.count ?? 0;
  }

  /** Offset of the postings of all series; undefined when the table has none. */
  get allPostings(): number | undefined {
    return this.#find('', '')?.postings;
  }

  /** Calls `visit` with each value of a label, ascending, from the first that is ≥ `from`, until it returns false. */
  visitValues(name: string, from: string, visit: (value: string, postings: number) => boolean): void {
    const entries = this.#names.get(name);
    if (!entries) return;
    for (let i = this.#blockOf(entries, from); i < entries.places.length; i++)
      for (const { value, postings } of this.#readBlock(entries, i))
        if (compareStrings(value, from) >= 0 && !visit(value, postings)) return;
  }

  /** Calls `visit` with the offset of the postings of each pair, in the order of the table. */
  visitPostings(visit: (postings: number) => void): void {
    for (const [name, entries] of this.#names)
      if (name !== '')
        for (let i = 0; i < entries.places.length; i++) {
          const reader = this.#blockReader(entries, i);
          while (reader.left > 0) {
            skipKeys(reader);
            visit(reader.uvarint());
          }
        }
  }

  /** The first pair, as text, whose postings are at this offset; undefined when there is none. */
  pairOf(postings: number): string | undefined {
    for (const [name, entries] of this.#names)
      for (let i = 0; i < entries.places.length; i++) {
        const found = this.#readBlock(entries, i).find((entry) => entry.postings === postings);
        if (found) return `${name}=${JSON.stringify(found.value)}`;
      }
    return undefined;
  }

  /** Offset of the postings of a pair. */
  find(name: string, value: string): number | undefined {
    return this.#find(name, value)?.postings;
  }

  #find(name: string, value: string): Entry | undefined {
    const entries = this.#names.get(name);
    if (!entries) return undefined;
    return this.#readBlock(entries, this.#blockOf(entries, value)).find((entry) => entry.value === value);
  }

  /** The last sampled block that begins at or before `value`. */
  #blockOf(entries: NameEntries, value: string): number {
    let low = 0;
    let high = entries.places.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (compareStrings(this.#firstValue(entries, middle), value) <= 0) low = middle;
      else high = middle;
    }
    return low;
  }

  #firstValue(entries: NameEntries, i: number): string {
    const end = entries.places[i + 1] ?? entries.end;
    // A first look at a little; label values are rarely longer.
    for (const length of [Math.min(512, end - entries.places[i]), end - entries.places[i]]) {
      const reader = new ByteReader(this.#file.read(entries.places[i], length));
      try {
        return readEntry(reader).value;
      } catch (error) {
        if (length === end - entries.places[i]) throw error;
      }
    }
    throw new VeronaError('corrupt', `${this.#file.path}: no entry at ${entries.places[i]}`);
  }

  #readBlock(entries: NameEntries, i: number): Entry[] {
    const reader = this.#blockReader(entries, i);
    const list: Entry[] = [];
    while (reader.left > 0) list.push(readEntry(reader));
    return list;
  }

  #blockReader({ places, end }: NameEntries, i: number): ByteReader {
    return new ByteReader(this.#file.read(places[i], (places[i + 1] ?? end) - places[i]));
  }
}

function skipKeys(reader: ByteReader): void {
  reader.uvarint();
  reader.skip(reader.length());
  reader.skip(reader.length());
}

function readEntry(reader: ByteReader): Entry {
  reader.uvarint();
  reader.skip(reader.length());
  const value = decoder.decode(reader.take(reader.length()));
  return { value, postings: reader.uvarint() };
}
