import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asciiText } from './ascii-text.ts';

test('the text is that of the bytes, asked for once or again, in whatever order', () => {
  const texts = fc.array(fc.oneof(fc.string({ maxLength: 70 }), fc.string({ unit: 'grapheme' })));
  fc.assert(
    fc.property(texts, fc.nat(5), (wanted, start) => {
      for (const text of [...wanted, ...wanted]) {
        const bytes = Buffer.concat([Buffer.alloc(start), Buffer.from(text), Buffer.from('é')]);
        const found = asciiText(bytes, start, bytes.length - 2);
        if (found !== undefined) expect(found).toBe(text);
        else expect(bytes.length - start - 2 > 64 || /[^\0-\x7f]/.test(text)).toBe(true);
      }
    }),
  );
});

test('many different texts do not get in the way of each other', () => {
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < 50_000; i++) {
      const bytes = Buffer.from(`pod-${i}`);
      expect(asciiText(bytes, 0, bytes.length)).toBe(`pod-${i}`);
    }
});
