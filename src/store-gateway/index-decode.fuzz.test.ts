import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from '../encoding/crc32c.ts';
import { VeronaError } from '../model/errors.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';
import { BlockSymbols } from './block-symbols.ts';
import { decodePlaces, encodePlaces, placesOf } from './header-places.ts';
import { encodeIndexHeader, IndexHeader } from './index-header.ts';
import { decodePostings } from './postings.ts';
import { decodeSeriesEntry, seriesEntrySize } from './series-entry.ts';

/** Damage whose checksum is right: what a hostile or broken writer makes, which no checksum finds. */

const TESTDATA = join(import.meta.dirname, 'testdata');
const index = new Uint8Array(readFileSync(join(TESTDATA, readdirSync(TESTDATA).sort()[0], 'index')));
const toc = new ByteReader(index, index.length - 52);
const [symbolsAt, , , , , tableAt] = Array.from({ length: 6 }, () => toc.be64());
const symbols = section(symbolsAt);
const table = section(tableAt);
const header = IndexHeader.inMemory(encodeIndexHeader(symbols, table, tableAt), 'h');
const texts = new BlockSymbols(header, 1000);
const ALWAYS = { mint: 0, maxt: Number.MAX_SAFE_INTEGER };

function section(at: number): Uint8Array {
  return index.slice(at, at + 8 + new ByteReader(index, at).be32());
}

/** Changes of single bytes. */
const edits = fc.array(fc.tuple(fc.nat(10_000), fc.nat(255)), { minLength: 1, maxLength: 4 });

function damaged(content: Uint8Array, changes: readonly (readonly [number, number])[]): Uint8Array {
  const out = content.slice();
  for (const [at, byte] of changes) if (out.length > 0) out[at % out.length] = byte;
  return out;
}

/** `length 4 │ content │ crc32c 4` with the content damaged and the rest right. */
function damagedSection(bytes: Uint8Array, changes: readonly (readonly [number, number])[]): Uint8Array {
  const out = bytes.slice();
  out.set(damaged(bytes.subarray(4, bytes.length - 4), changes), 4);
  new DataView(out.buffer).setUint32(out.length - 4, crc32c(out, 4, out.length - 4));
  return out;
}

function decodesOrCorrupt(decode: () => void): void {
  try {
    decode();
  } catch (error) {
    expect(error).toBeInstanceOf(VeronaError);
    expect(error).toMatchObject({ code: 'corrupt' });
  }
}

test('an index-header is read back as it was made', () => {
  expect(header.labelNames()).toEqual(['__name__', 'instance', 'odd', 'text', 'zone']);
  expect([...header.labelValues('zone')]).toEqual(['z0', 'z1', 'z2']);
  expect(header.postings('zone', 'z3')).toBeUndefined();
  expect(() => header.readSymbols([1_000_000], () => {})).toThrow(
    expect.objectContaining({ code: 'corrupt' }),
  );
});

test('a damaged index-header decodes or is corrupt', () => {
  const use = (bytes: Uint8Array) =>
    decodesOrCorrupt(() => {
      const found = IndexHeader.inMemory(bytes, 'h');
      for (const name of found.labelNames())
        for (const value of found.labelValues(name)) found.postings(name, value);
      const symbols = new BlockSymbols(found, 50);
      for (let i = 0; i < 70; i++) symbols.textOf(i);
    });
  fc.assert(
    fc.property(edits, edits, (a, b) =>
      use(encodeIndexHeader(damagedSection(symbols, a), damagedSection(table, b), tableAt)),
    ),
    { numRuns: 400 },
  );
  const whole = encodeIndexHeader(symbols, table, tableAt);
  fc.assert(
    fc.property(edits, fc.nat(whole.length), (changes, end) => {
      use(damaged(whole, changes));
      use(whole.slice(0, end));
    }),
    { numRuns: 300 },
  );
});

test('the places in an index-header are read back as they were written, and damaged ones are corrupt', () => {
  const places = placesOf(encodeIndexHeader(symbols, table, tableAt), Uint32Array.of(3, 9, 12));
  const bytes = encodePlaces(places);
  expect(decodePlaces(bytes)).toEqual(places);
  fc.assert(
    fc.property(edits, fc.nat(bytes.length - 1), (changes, end) => {
      decodesOrCorrupt(() => decodePlaces(damaged(bytes, changes)));
      expect(() => decodePlaces(bytes.slice(0, end))).toThrow(expect.objectContaining({ code: 'corrupt' }));
      // With the right checksum: what another version may have written.
      const out = damaged(bytes.subarray(0, bytes.length - 4), changes);
      const sum = new DataView(new ArrayBuffer(4));
      sum.setUint32(0, crc32(out));
      decodesOrCorrupt(() => decodePlaces(Buffer.concat([out, new Uint8Array(sum.buffer)])));
    }),
    { numRuns: 300 },
  );
});

test('a damaged postings list decodes to ascending references or is corrupt', () => {
  const { start } = header.postings('', '') as { start: number };
  const list = section(start);
  expect(decodePostings(list)).toHaveLength(40);
  fc.assert(
    fc.property(edits, (changes) => decodesOrCorrupt(() => decodePostings(damagedSection(list, changes)))),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => decodesOrCorrupt(() => decodePostings(bytes))),
  );
});

test('a damaged series entry decodes or is corrupt', () => {
  const { start } = header.postings('', '') as { start: number };
  for (const ref of decodePostings(section(start))) {
    const size = seriesEntrySize(index.subarray(ref * 16));
    const entry = index.slice(ref * 16, ref * 16 + size);
    expect(decodeSeriesEntry(entry, ALWAYS)?.chunks).toHaveLength(1);
    expect(decodeSeriesEntry(entry, { ...ALWAYS, accepts: () => false })).toBeUndefined();
    const prefix = entry[0] < 128 ? 1 : 2;
    fc.assert(
      fc.property(edits, (changes) => {
        const out = entry.slice();
        out.set(damaged(entry.subarray(prefix, size - 4), changes), prefix);
        new DataView(out.buffer).setUint32(size - 4, crc32c(out, prefix, size - 4));
        decodesOrCorrupt(() => void decodeSeriesEntry(out, { ...ALWAYS, labelsOnly: true }));
        decodesOrCorrupt(() =>
          texts.labelBytes([decodeSeriesEntry(out, { ...ALWAYS, accepts: () => true })?.labelSymbols ?? []]),
        );
      }),
      { numRuns: 40 },
    );
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) =>
      decodesOrCorrupt(() => void seriesEntrySize(bytes)),
    ),
  );
});
