import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { compareLabels, Labels } from '../model/labels.ts';
import { compareLabelBytes } from './compare-label-bytes.ts';

test('label bytes order as the label sets they encode, also where only lengths differ first', () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b', '\u0000', 'é', '😀'), maxLength: 4 }),
    fc.nat(300).map((length) => 'a'.repeat(length)),
  );
  const sets = fc
    .array(fc.tuple(fc.constantFrom('a', 'ab', 'b', 'c'), text), { maxLength: 4 })
    .map((pairs) => Labels.from(pairs));
  fc.assert(
    fc.property(sets, sets, (a, b) => {
      const order = compareLabelBytes(encodeLabels(a), encodeLabels(b));
      expect(Math.sign(order)).toBe(Math.sign(compareLabels(a, b)));
    }),
    { numRuns: 3000 },
  );
});
