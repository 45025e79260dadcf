import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { encodeLabels } from './label-bytes.ts';
import { LabelJson } from './label-json.ts';

const json = new LabelJson();

test('label bytes are written as the JSON of their label set, whatever has to be escaped', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\u0001', '\u007f', 'é', '😀', 'a') }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
      const labels = Labels.from(pairs.map(([name, value]) => [`l${name}`, value]));
      const bytes = encodeLabels(labels);
      const padded = new Uint8Array(bytes.length + 5);
      padded.set(bytes, 3);
      const written = new TextDecoder().decode(json.write(padded, 3, 3 + bytes.length));
      expect(written).toBe(JSON.stringify(labels));
    }),
  );
});
