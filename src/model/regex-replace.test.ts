import { expect, test } from 'vitest';
import { compileReplacement } from './regex-replace.ts';

test.each([
  ['(.*)-(.*)', '$2/$1', 'a-b', 'b/a'],
  ['(?P<x>.).*', '${x}!', 'abc', 'a!'],
  ['(.)', '$1x', 'a', ''],
  ['(.)', '${1}x', 'a', 'ax'],
  ['.*', '$$1 $', 'a', '$1 $'],
  ['(a)|(b)', '[$2]', 'a', '[]'],
  ['a', 'x', 'ab', undefined],
])('%s → %s makes of %j %j', (source, template, text, expected) => {
  expect(compileReplacement(source, template)(text)).toBe(expected);
});

test('an expression that is none throws', () => {
  expect(() => compileReplacement('(', '')).toThrow();
});
