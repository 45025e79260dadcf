import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileAutomaton, compileLabelRegex } from './regex.ts';
import { regexCost } from './regex-cost.ts';
import { compileFastRegex, literalPrefix } from './regex-fast.ts';

test.each([
  ['foo', ['foo']],
  ['foo|bar|', ['foo', 'bar', '']],
  ['(a|b)c', ['ac', 'bc']],
  ['(?:a|b)[0-2]x?', ['a0x', 'a0', 'a1x', 'a1', 'a2x', 'a2', 'b0x', 'b0', 'b1x', 'b1', 'b2x', 'b2']],
  ['10\\.0\\.0\\.1:9090', ['10.0.0.1:9090']],
])('%j accepts exactly %j', (source, values) => {
  expect(compileLabelRegex(source).setMatches).toEqual(values);
  for (const value of values) expect(compileLabelRegex(source).matches(value)).toBe(true);
  expect(compileLabelRegex(source).matches('fo')).toBe(false);
});

test.each([
  ['.*', '', 'any\nthing', true],
  ['.+', '', '', false],
  ['.+', '', '\n', true],
  ['foo.*', 'foo', 'foo\nbar', true],
  ['foo.+', 'foo', 'foo', false],
  ['.*bar', '', 'foobar', true],
  ['foo.*foo', 'foo', 'foofo', false],
  ['foo.*foo', 'foo', 'foofoo', true],
  ['.*a.+b.*', '', 'xab', false],
  ['.*a.+b.*', '', 'xaxb', true],
  ['prod-(eu|us).*|prod-cn', 'prod-', 'prod-us-1', true],
  ['(?i)foo', '', 'FOO', true],
  ['(?i)k', '', '\u212a', true],
  ['foo[0-9]+', 'foo', 'foo12', true],
  ['foo[0-9]*x', 'foo', 'foox', true],
  ['foos?[0-9]', 'foo', 'foo1', true],
  ['foo', 'foo', 'foo\n', false],
])('%j has the prefix %j, and of %j it is %j that it matches', (source, prefix, value, matches) => {
  const regex = compileLabelRegex(source);
  expect(regex.prefix).toBe(prefix);
  expect(regex.matches(value)).toBe(matches);
});

test.each([
  ['(', 'missing closing ): `(`'],
  ['a**', 'invalid nested repetition operator: `**`'],
  ['a{1001}', 'invalid repeat count: `{1001}`'],
  ['(a{1000}){1000}', 'expression too large'],
  ['*a', 'missing argument to repetition operator: `*`'],
  ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
  ['\\8', 'invalid escape sequence: `\\8`'],
  ['a\\', 'trailing backslash at end of expression: ``'],
  ['a)(b', 'unexpected ): `a)(b`'],
])('%j is refused in the words of Go', (source, message) => {
  const isRefused = expect.objectContaining({
    code: 'bad_data',
    message: `error parsing regexp: ${message}`,
  });
  expect(() => compileLabelRegex(source)).toThrow(isRefused);
});

test('an expression that is too long or too large is refused at once', () => {
  expect(() => compileLabelRegex('a'.repeat(300_000))).toThrow('longer than 262144');
  expect(() => compileLabelRegex('a{1000}b'.repeat(1_000))).toThrow('expression too large');
  expect(regexCost('(ab{3}[xyz]{2}){10}')).toBe(70);
});

const PIECES = [
  ...[
    'a',
    'b',
    'ab',
    '\u00e9',
    '\ud83d\ude00',
    '.*',
    '.+',
    '.*?',
    '(',
    ')',
    '(?:',
    '|',
    '?',
    '*',
    '+',
    '.',
    '\\.',
    '[ab]',
  ],
  ...['[a-c]', '\\n', '$', '^', '{2}', '[^a]', ']', '-', '[]a]', '[a-]', '\\_'],
];
const PATTERN = fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }).map((pieces) => pieces.join(''));
const VALUE = fc
  .array(fc.constantFrom('a', 'b', 'ab', '\u00e9', '\ud83d\ude00', '.', '\n', 'c', '-'), { maxLength: 6 })
  .map((pieces) => pieces.join(''));

test('the fast path knows only expressions that RE2 knows, and answers as RE2 does', () => {
  fc.assert(
    fc.property(PATTERN, fc.array(VALUE, { minLength: 5, maxLength: 5 }), (source, values) => {
      const fast = compileFastRegex(source);
      if (fast === undefined) return;
      const slow = compileAutomaton(source);
      for (const value of [...values, ...(fast.setMatches ?? [])]) {
        expect(fast.matches(value)).toBe(slow.matches(value));
        if (fast.matches(value)) expect(value.startsWith(fast.prefix)).toBe(true);
        if (fast.setMatches !== undefined) expect(fast.setMatches.includes(value)).toBe(fast.matches(value));
      }
    }),
    { numRuns: 3_000 },
  );
});

test('every value an expression accepts starts with its literal prefix', () => {
  fc.assert(
    fc.property(PATTERN, VALUE, (source, value) => {
      let accepted: boolean;
      try {
        accepted = compileAutomaton(source).matches(value);
      } catch {
        return; // Not an expression.
      }
      if (accepted) expect(value.startsWith(literalPrefix(source))).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});
