import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeLabels, encodeLabels } from '../encoding/label-bytes.ts';
import { WireWriter } from '../encoding/protobuf.ts';
import { Labels } from '../model/labels.ts';
import { canonicalLabels } from './received-labels.ts';

const pairs = fc.uniqueArray(fc.tuple(fc.string({ minLength: 1 }), fc.string({ unit: 'grapheme' })), {
  selector: ([name]) => name,
});

function sent(list: readonly (readonly [string, string])[]): Uint8Array {
  const writer = new WireWriter();
  for (const [name, value] of list)
    writer.message(1, () => {
      writer.string(1, name);
      writer.string(2, value);
    });
  return writer.bytes().slice();
}

test('canonical bytes are handed through', () => {
  fc.assert(
    fc.property(pairs, (list) => {
      const bytes = encodeLabels(Labels.from(list));
      expect(canonicalLabels(bytes)).toBe(bytes);
    }),
  );
});

test('labels in any order and with empty values become canonical', () => {
  fc.assert(
    fc.property(pairs, (list) => {
      expect(decodeLabels(canonicalLabels(sent(list))).flat).toEqual(Labels.from(list).flat);
    }),
  );
});

test('a name given twice is refused', () => {
  expect(() =>
    canonicalLabels(
      sent([
        ['a', '1'],
        ['a', '2'],
      ]),
    ),
  ).toThrow('label "a" twice');
});

test('mutated bytes become canonical or are refused', () => {
  fc.assert(
    fc.property(pairs, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1 }), (list, changes) => {
      const bytes = sent(list);
      for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      let canonical: Uint8Array;
      try {
        canonical = canonicalLabels(bytes);
      } catch (error) {
        expect((error as { code?: string }).code).toBe('bad_data');
        return;
      }
      expect(encodeLabels(decodeLabels(canonical))).toEqual(canonical);
    }),
    { numRuns: 1000 },
  );
});
