import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { labelsJson } from './labels-json.ts';

test('label sets become the JSON that reads back as the same labels, whatever their texts', () => {
  const texts = fc.string({
    unit: fc.constantFrom('a', 'é', '"', '\\', '\n', '\u0001', '\u2028', '😀', '\x7f', '<'),
  });
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(texts, texts), { selector: ([name]) => name }), (pairs) => {
      const labels = Labels.from(pairs);
      expect(JSON.parse(labelsJson(labels))).toEqual(JSON.parse(JSON.stringify(labels)));
      expect(labelsJson(labels).length).toBe(JSON.stringify(labels).length);
    }),
  );
});

test('names that look like numbers keep their place', () => {
  expect(labelsJson(Labels.from({ __name__: 'up', a: '', '1': 'x' }))).toBe('{"1":"x","__name__":"up"}');
});
