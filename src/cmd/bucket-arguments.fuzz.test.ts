import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { countOf, durationOf, oneLine, selectorOf } from './bucket-tool.ts';
import { parseSelectorRetention } from './selector-retention.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.stringMatching(/^[0-9a-z{}=~"!., :_-]{0,30}$/),
  fc.constantFrom('1e3', '-1', '1d2h', '{a="b"}', 'up{', '../..', '{env="dev"} 30d', 'a: {b=~"("} 1h'),
);

test('whatever an argument says, it is understood or refused as a wrong command line', () => {
  const readers = [
    (value: string) => countOf('--n', value),
    (value: string) => durationOf('--delay', value),
    (value: string) => selectorOf('--match', value),
    (value: string) => parseSelectorRetention([value]),
  ];
  fc.assert(
    fc.property(text, (value) => {
      for (const read of readers)
        try {
          const found = read(value);
          if (typeof found === 'number') expect(found).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toBeInstanceOf(VeronaError);
          expect(error).toMatchObject({ code: 'bad_data' });
        }
      expect(oneLine(value)).not.toMatch(/\p{Cc}/u);
    }),
    { numRuns: 2000 },
  );
});
