import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { decodeLabels, encodeLabels, isAsciiLabels } from './label-bytes.ts';

const text = fc.oneof(
  fc.string({ minLength: 1, unit: 'grapheme' }),
  fc.string({ minLength: 1 }),
  fc.constant('x'.repeat(300)),
);

test('a label set decodes to itself', () => {
  fc.assert(
    fc.property(fc.dictionary(text, text), (pairs) => {
      const labels = Labels.from(pairs);
      expect(decodeLabels(encodeLabels(labels)).flat).toEqual(labels.flat);
    }),
  );
});

test('label bytes are ASCII when every name and value is, however long', () => {
  fc.assert(
    fc.property(fc.dictionary(text, fc.oneof(text, fc.constant('y'.repeat(20_000)))), (pairs) => {
      const labels = Labels.from(pairs);
      const isAscii = labels.flat.every((part) => Buffer.byteLength(part) === part.length);
      expect(isAsciiLabels(encodeLabels(labels))).toBe(isAscii);
    }),
  );
});

test('the bytes are those of remote write', () => {
  const bytes = encodeLabels(Labels.from({ job: 'é', __name__: 'up' }));
  expect(Buffer.from(bytes).toString('hex')).toBe(
    '0a0e0a085f5f6e616d655f5f12027570' + '0a090a036a6f621202c3a9',
  );
});

test('a lone surrogate becomes the replacement character', () => {
  const bytes = encodeLabels(Labels.from({ a: 'x\ud800y', b: '\udc00' }));
  expect(decodeLabels(bytes).flat).toEqual(['a', 'x\ufffdy', 'b', '\ufffd']);
});
