import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from '../../encoding/crc32c.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import { IndexMemory } from './index-reader.ts';
import { MergedSymbols } from './merged-symbols.ts';

const AT = 5;

/** A file with a section of these symbols behind `AT` other bytes, and some behind it. */
function fileOf(symbols: readonly Buffer[], name = 'f'): IndexMemory {
  const content = new ByteWriter();
  content.be32(symbols.length);
  for (const symbol of symbols) content.prefixed(symbol);
  const out = new ByteWriter();
  out.bytes(new Uint8Array(AT));
  out.be32(content.length);
  out.bytes(content.view());
  out.be32(crc32c(content.view()));
  out.bytes(new Uint8Array(3));
  return new IndexMemory(name, out.copy());
}

function ordered(symbols: readonly string[]): Buffer[] {
  return [...new Set(symbols)].map((text) => Buffer.from(text)).sort(Buffer.compare);
}

const symbol = fc.oneof(
  { weight: 20, arbitrary: fc.string({ maxLength: 8, unit: 'binary' }).map((text) => text.toWellFormed()) },
  { weight: 5, arbitrary: fc.constantFrom('', 'a', 'aa', 'b', '\u{10ffff}', '\uffff') },
  // Longer than a piece, and such that end at its end.
  { weight: 1, arbitrary: fc.integer({ min: 65_000, max: 200_000 }).map((length) => 'x'.repeat(length)) },
);

test('symbols of several indexes are merged in the order of their bytes, each with its rank', () => {
  fc.assert(
    fc.property(fc.array(fc.array(symbol, { maxLength: 40 }), { minLength: 1, maxLength: 4 }), (lists) => {
      const sets = lists.map(ordered);
      const files = sets.map((set, i) => fileOf(set, `f${i}`));
      const merged = new MergedSymbols(
        files,
        files.map(() => AT),
      );
      const all = ordered(lists.flat());
      expect(merged.count).toBe(all.length);
      for (const [rank, bytes] of all.entries()) expect(Buffer.compare(bytes, merged.bytesOf(rank))).toBe(0);
      for (const [i, set] of sets.entries())
        for (const [ref, bytes] of set.entries())
          expect(Buffer.compare(bytes, merged.bytesOf(merged.ranks[i][ref]))).toBe(0);
    }),
    { numRuns: 150 },
  );
});

test('symbols out of order or there twice are damage, also across pieces', () => {
  const long = Buffer.from('m'.repeat(65_530));
  for (const list of [
    [Buffer.from('b'), Buffer.from('a')],
    [Buffer.from('a'), Buffer.from('a')],
    [long, Buffer.from('a')],
    [long, long],
  ])
    expect(() => new MergedSymbols([fileOf(list)], [AT])).toThrow('f: symbol 1 is out of order');
});

test('mutated and cut sections are damage', () => {
  const symbols = ordered(Array.from({ length: 300 }, (_, i) => `symbol ${i * 7919}`));
  const whole = fileOf(symbols).read(0, 1 << 20);
  fc.assert(
    fc.property(
      fc.nat(whole.length - 4),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (at, bits, cuts) => {
        const bytes = cuts ? whole.slice(0, at) : whole.slice();
        if (!cuts) bytes[at] ^= bits;
        if (!cuts && at < AT) return;
        expect(() => new MergedSymbols([new IndexMemory('f', bytes)], [AT])).toThrow(/^f: /);
      },
    ),
    { numRuns: 1000 },
  );
});
