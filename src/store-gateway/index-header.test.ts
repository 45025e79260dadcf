import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from '../encoding/crc32c.ts';
import { compareStrings } from '../model/labels.ts';
import { ByteWriter } from '../tsdb/format/byte-writer.ts';
import { BlockSymbols } from './block-symbols.ts';
import { encodeIndexHeader, IndexHeader } from './index-header.ts';

const TABLE_OFFSET = 1_000_000_000;

function section(count: number, write: (out: ByteWriter) => void): Uint8Array {
  const content = new ByteWriter();
  content.be32(count);
  write(content);
  const out = new ByteWriter();
  out.be32(content.length);
  out.bytes(content.view());
  out.be32(crc32c(content.view()));
  return out.copy();
}

/** A header of the values of some labels; the list of entry number i begins at 100 · i. */
function headerOf(symbols: readonly string[], labels: readonly (readonly [string, readonly string[]])[]) {
  const text = (out: ByteWriter, value: string) => out.prefixed(Buffer.from(value));
  const entries = labels.flatMap(([name, values]) => values.map((value) => [name, value] as const));
  const table = section(entries.length, (out) => {
    for (const [i, [name, value]] of entries.entries()) {
      out.byte(2);
      text(out, name);
      text(out, value);
      out.uvarint(100 * i);
    }
  });
  const names = section(symbols.length, (out) => {
    for (const symbol of symbols) text(out, symbol);
  });
  const header = IndexHeader.inMemory(encodeIndexHeader(names, table, TABLE_OFFSET), 'h');
  const list = (i: number) => ({
    start: 100 * i,
    end: i + 1 < entries.length ? 100 * i + 100 : TABLE_OFFSET,
  });
  return { header, entries, list };
}

const texts = fc
  .uniqueArray(fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 5 })), {
    maxLength: 120,
  })
  .map((values) => values.filter((value) => value !== '' && value.isWellFormed()).sort(compareStrings));

test('every symbol and every value of a table of any size is found where it is, and no other', () => {
  fc.assert(
    fc.property(texts, texts, texts, (symbols, first, second) => {
      const { header, entries, list } = headerOf(symbols, [
        ['', ['']],
        ['a', first],
        ['b', second],
      ]);
      const seen = new BlockSymbols(header, 50);
      for (const [i, symbol] of symbols.entries()) expect(seen.textOf(i)).toBe(symbol);
      const every = new Set(symbols.keys());
      expect(new BlockSymbols(header, 50).textsOf(every)).toEqual(symbols);
      for (const [i, [name, value]] of entries.entries())
        expect(header.postings(name, value)).toEqual(list(i));
      for (const absent of second.filter((value) => !first.includes(value)))
        expect(header.postings('a', absent)).toBeUndefined();
      expect([...header.labelValues('a')]).toEqual(first);
      expect(header.valueCount('b')).toBe(second.length);
    }),
    { numRuns: 60 },
  );
});

test('values with a prefix are found without looking at all of them', () => {
  fc.assert(
    fc.property(texts, fc.string({ maxLength: 2 }), (values, prefix) => {
      const { header, list } = headerOf([], [['a', values]]);
      const wanted = values.flatMap((value, i) => (value.startsWith(prefix) ? [list(i)] : []));
      expect(header.postingsWhere('a', (value) => value.startsWith(prefix), prefix)).toEqual(wanted);
    }),
    { numRuns: 100 },
  );
});

test('a value or symbol that spans several pages of the file is read whole', () => {
  const long = ['m'.repeat(40_000), 'n'.repeat(3000), 'o'];
  const { header, list } = headerOf(long, [['a', long]]);
  const symbols = new BlockSymbols(header, 2);
  for (const [i, text] of long.entries()) {
    expect(symbols.textOf(i)).toBe(text);
    expect(header.postings('a', text)).toEqual(list(i));
  }
});
