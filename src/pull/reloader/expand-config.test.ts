import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expandConfig } from './expand-config.ts';

const environment = { NAME: 'a', CLUSTER_1: 'eu-ü', EMPTY: '' };

function expand(text: string | Uint8Array, toleratesUnset = false) {
  const { data, unset } = expandConfig('p.yml', Buffer.from(text as string), { environment, toleratesUnset });
  return { text: Buffer.from(data).toString(), unset };
}

test.each([
  ['replica: $(NAME)', 'replica: a'],
  ['$(NAME)$(CLUSTER_1)!', 'aeu-ü!'],
  ['empty: "$(EMPTY)"', 'empty: ""'],
  ['grüße: $(NAME)', 'grüße: a'],
  ['regex: (.*)$1 ${NAME} $NAME $((NAME)) $(NA-ME)', 'regex: (.*)$1 ${NAME} $NAME $((NAME)) $(NA-ME)'],
])('%s becomes %s', (text, expanded) => {
  expect(expand(text)).toEqual({ text: expanded, unset: [] });
});

test('a variable that is not set is an error that names it, or stays as it stands', () => {
  expect(() => expand('$(A) $(NAME) $(B) $(A)')).toThrow('p.yml: the environment has no variable A, B');
  expect(expand('$(A) $(NAME) $(B) $(A)', true)).toEqual({ text: '$(A) a $(B) $(A)', unset: ['A', 'B'] });
});

test('a packed file is unpacked, and one that cannot be is named', () => {
  expect(expand(gzipSync('x: $(NAME)')).text).toBe('x: a');
  expect(() => expand(gzipSync('x: $(NAME)').subarray(0, 12))).toThrow('p.yml: unpack it');
});

test('bytes that refer to nothing stay as they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      fc.pre(!(bytes[0] === 0x1f && bytes[1] === 0x8b));
      const { data } = expandConfig('p.yml', bytes, { environment: {}, toleratesUnset: true });
      expect([...data]).toEqual([...bytes]);
    }),
  );
});
