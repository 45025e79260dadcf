import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VeronaError } from '../../model/errors.ts';
import { compileTemplate, expandTemplate } from './expand.ts';
import type { Value } from './value.ts';

const WORLD = {
  externalUrl: 'https://metrics.example/verona',
  nowMs: 1_700_000_000_500,
  query: async (query: string) =>
    query === 'none' ? [] : ['b', 'a'].map((job, i) => ({ Labels: new Map([['job', job]]), Value: i + 0.5 })),
};
const DATA = new Map<string, Value>([
  ['Labels', new Map([['job', 'api']])],
  ['Value', 42],
]);

const expand = (source: string) => expandTemplate('t', compileTemplate('t', source), DATA, WORLD);

test.each([
  ['{{ .Labels.job }}: {{ .Value }}', 'api: 42'],
  ['a {{- " b " -}} c', 'a b c'],
  ['{{/* nothing */}}x', 'x'],
  ['{{ range query "x" | sortByLabel "job" }}{{ .Labels.job }}={{ .Value }} {{ end }}', 'a=1.5 b=0.5 '],
  ['{{ range $i, $s := query "x" }}{{ $i }}{{ $s.Labels.job }}{{ end }}', '0b1a'],
  ['{{ range query "none" }}x{{ else }}empty{{ end }}', 'empty'],
  ['{{ range 3 }}x{{ end }}', 'xxx'],
  ['{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}', '32'],
  ['{{ with $v := .Labels.nope }}{{ $v }}{{ else }}none{{ end }}', 'none'],
  ['{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" .Value }}{{ tmpl "t" "x" }}', '<42><x>'],
  ['{{ externalURL }} {{ pathPrefix }} {{ now }}', 'https://metrics.example/verona /verona 1.7000000005e+09'],
  ['{{ printf "%05.1f|%-4d|%q" 3.14159 7 "a\\nb" }}', '003.1|7   |"a\\nb"'],
  [
    '{{ range query "x" }}{{ if eq .Labels.job "b" }}{{ continue }}{{ end }}{{ .Labels.job }}{{ break }}{{ end }}',
    'a',
  ],
])('%s gives %s', async (source, text) => {
  expect(await expand(source)).toBe(text);
});

test.each([
  ['{{', '1: unclosed action'],
  ['{{ if 1 }}', '1: unexpected EOF'],
  ['\n{{ $x }}', '2: undefined variable "$x"'],
  ['{{ nope 1 }}', '1: function "nope" not defined'],
  ['{{ end }}', '1: unexpected {{end}}'],
  ['{{ (1 }}', '1: unclosed left paren'],
  ['{{ # }}', '1: unexpected "#" in command'],
])('%s is refused when it is read', (source, message) => {
  expect(() => compileTemplate('t', source)).toThrow(`template: t:${message}`);
});

test.each([
  ['{{ template "t" }}', 'template "t" not defined'],
  ['{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', 'exceeded maximum template depth'],
  ['{{ range 1000 }}{{ printf "%2000d" 1 }}{{ end }}', 'template gives more than'],
  ['{{ range 100000000 }}{{ end }}', 'template does more than'],
  ['{{ match "(" "x" }}', 'error calling match: error parsing regexp: missing closing )'],
  ['{{ printf 1 }}', 'error calling printf: wrong type for value; expected string; got int'],
])('%s fails, and in time', async (source, message) => {
  await expect(expand(source)).rejects.toThrow(message);
});

test('any text is a template or is refused with a line, and expanding it ends', async () => {
  const parts = fc.constantFrom(
    ...[
      '{{',
      '}}',
      '{{-',
      '-}}',
      ' ',
      '\n',
      '$',
      '$x',
      '.',
      '.Labels',
      ':=',
      '=',
      '|',
      '(',
      ')',
      '"a"',
      '`',
      "'c'",
    ],
    ...[
      '1',
      '1e9',
      'if',
      'else',
      'end',
      'range',
      'with',
      'define',
      'template',
      'query',
      'printf',
      'index',
      'text',
    ],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(parts, fc.string()), { maxLength: 25 }), async (pieces) => {
      try {
        await expand(pieces.join(''));
      } catch (error) {
        expect(error).toBeInstanceOf(VeronaError);
      }
    }),
    { numRuns: 3000 },
  );
});
