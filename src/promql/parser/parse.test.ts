import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VeronaError } from '../../model/errors.ts';
import { functionNames, functionSignature } from '../functions/signatures.ts';
import { type Expr, walk } from './ast.ts';
import { ALL_FEATURES } from './options.ts';
import { analyze, parseExpr, parseMatchers } from './parse.ts';
import { prettyExpr } from './pretty.ts';
import { printExpr } from './print.ts';
import { problemText } from './problems.ts';

/** Lines `query`, `=> printed` or `!! first problem`, written by Prometheus 3.14's own parser. */
const GOLDEN = readFileSync(new URL('./testdata/golden.txt', import.meta.url), 'utf8');
const CASES = GOLDEN.trim()
  .split('\n\n')
  .map((block) => block.split('\n').map((line) => JSON.parse(line.slice(3)) as string))
  .map(([query, wanted], i) => ({
    query,
    wanted,
    isError: GOLDEN.trim().split('\n\n')[i].includes('\n!! '),
  }));

function describe(query: string): string {
  const { expr, problems } = analyze(query, { features: ALL_FEATURES });
  return expr === undefined ? problemText(query, problems[0]) : printExpr(expr);
}

test.each(CASES)('Prometheus says of $query what we say', ({ query, wanted }) => {
  expect(describe(query)).toBe(wanted);
});

test('what is printed parses back to the same, on one line and formatted', () => {
  for (const { query, isError } of CASES) {
    if (isError) continue;
    const expr = parseExpr(query, { features: ALL_FEATURES });
    expect(describe(printExpr(expr))).toBe(printExpr(expr));
    expect(describe(prettyExpr(expr))).toBe(printExpr(expr));
  }
});

test('every node is where it says, in UTF-16 units', () => {
  const query = 'sum by (a) (rate({"é 😀", b="ü"}[5m] offset 1h)) / -(foo @ start())';
  const places: string[] = [];
  walk(parseExpr(query), (node) => places.push(`${node.kind} ${query.slice(node.start, node.end)}`));
  expect(places).toEqual([
    `binary ${query}`,
    'aggregate sum by (a) (rate({"é 😀", b="ü"}[5m] offset 1h))',
    'call rate({"é 😀", b="ü"}[5m] offset 1h)',
    'matrix {"é 😀", b="ü"}[5m] offset 1h',
    'vector {"é 😀", b="ü"}',
    'unary -(foo @ start())',
    'paren (foo @ start())',
    'vector foo @ start()',
  ]);
});

test.each([
  ['"é" + 1', '1:1: parse error: binary expression must contain only scalar and instant vector types'],
  ['\n "é" > bool\n"é"[', '3:6: parse error: unexpected end of input in duration expression'],
  ['"é" or x', '1:1: parse error: binary expression must contain only scalar and instant vector types'],
  ['{a="é"} § ', `1:10: parse error: unexpected character: '§'`],
])('columns of %j are bytes', (query, problem) => {
  expect(describe(query)).toBe(problem);
});

test('all problems of the types of a query are told', () => {
  const { problems } = analyze('rate(foo) + sum(1) + "x"');
  expect(problems.map(({ message }) => message)).toEqual([
    'expected type range vector in call to function "rate", got instant vector',
    'expected type instant vector in aggregation expression, got scalar',
    'binary expression must contain only scalar and instant vector types',
  ]);
});

test.each([
  ['sort_by_label(x, "a")', 'function "sort_by_label" is not enabled'],
  [
    'limitk(1, x)',
    'limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions',
  ],
  ['rate(x[5m] anchored)', 'anchored modifier is experimental and not enabled'],
  ['x + fill(0) y', 'binop fill modifiers are experimental and not enabled'],
])('%j needs its feature', (query, message) => {
  expect(analyze(query).problems[0].message).toBe(message);
  expect(analyze(query, { features: ALL_FEATURES }).problems).toEqual([]);
});

test('duration expressions are on until switched off', () => {
  expect(analyze('x[5m*2]').problems).toEqual([]);
  expect(analyze('x[5m*2]', { features: { 'promql-duration-expr': false } }).problems[0].message).toBe(
    'experimental duration expression is not enabled',
  );
});

test.each([
  '('.repeat(200_000),
  '-'.repeat(200_000),
  `a${'+a'.repeat(90_000)}`,
  `a${'^a'.repeat(90_000)}`,
  'sum('.repeat(60_000),
  `foo[${'1+'.repeat(90_000)}1]`,
  `foo[${'('.repeat(90_000)}`,
  `foo[${'-'.repeat(90_000)}`,
  `a${'[5m:]'.repeat(9_000)}`,
])('a hostile text (%#) is refused in milliseconds', (query) => {
  const start = performance.now();
  expect(analyze(query).problems[0].message).toMatch(/nested more than 500|more than 50000 parts/);
  expect(performance.now() - start).toBeLessThan(1_000);
});

test.each([
  [
    'a + on (b) group_left group_right c',
    '1:23: parse error: unexpected <group_right> in grouping opts, expected "("',
  ],
  ['a + on (b) group_left', '1:22: parse error: unexpected end of input in grouping opts, expected "("'],
  ['a + on (b) group_left -c', undefined],
])('%s: labels or an operand stand after group_left', (query, message) => {
  if (message === undefined) expect(parseExpr(query).kind).toBe('binary');
  else expect(() => parseExpr(query)).toThrow(message);
});

test('a text beyond the limit is refused unread', () => {
  expect(() => parseExpr('x'.repeat(300_000))).toThrow(
    expect.objectContaining({ code: 'bad_data', message: expect.stringContaining('longer than 262144') }),
  );
});

test('a query as deep as is allowed can be walked', () => {
  const expr = parseExpr(`${'('.repeat(490)}a${')'.repeat(490)}`);
  expect(printExpr(expr)).toHaveLength(981);
  expect(prettyExpr(expr)).toContain('a');
});

const SOUP = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...'foo sum by without ( ) { } [ ] , = != =~ "x" 5m 1 - + * / ^ bool on group_left fill offset @'.split(
          ' ',
        ),
      ),
      fc.constantFrom(
        ...'start() step() rate( topk( and or unless anchored : [5m] [5m:1m] {a="b"} # 0x1F Inf \\ \' ` é \n'.split(
          ' ',
        ),
      ),
      fc.string({ maxLength: 4, unit: 'binary' }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(' '));

/** Infinity is printed with its sign, as in Prometheus, which before `^` is read as an operator on the power. */
function withoutSecondSign(text: string): string {
  return text.replaceAll('++Inf', '+Inf');
}

test('any text is parsed or refused with a place, and what is parsed prints to what it is', () => {
  fc.assert(
    fc.property(SOUP, (query) => {
      let expr: Expr;
      try {
        expr = parseExpr(query, { features: ALL_FEATURES });
      } catch (error) {
        expect(error).toBeInstanceOf(VeronaError);
        expect((error as VeronaError).message).toMatch(/^(\d+:\d+|unknown position): parse error: ./);
        return;
      }
      expect(withoutSecondSign(describe(printExpr(expr)))).toBe(withoutSecondSign(printExpr(expr)));
    }),
    { numRuns: 3_000, examples: [['Inf ^ start()'], ['a * -Inf ^ start()']] },
  );
});

test('matchers of a selector come in the order written, the name last', () => {
  const matchers = parseMatchers('up{job=~"a|b", "x.y"!="c"}');
  expect(matchers.map(String)).toEqual(['job=~"a|b"', 'x.y!="c"', '__name__="up"']);
  expect(() => parseMatchers('up{job=~"("}')).toThrow(
    '1:4: parse error: error parsing regexp: missing closing )',
  );
  expect(() => parseMatchers('up[5m]')).toThrow('1:3: parse error: unexpected "["');
  expect(() => parseMatchers('1')).toThrow('1:1: parse error: unexpected number "1"');
});

test('there are 90 functions, each with its shape', () => {
  expect(functionNames()).toHaveLength(90);
  expect(functionSignature('histogram_quantiles')).toMatchObject({
    argsMin: 3,
    argsMax: 12,
    experimental: true,
  });
  expect(functionSignature('label_join')).toMatchObject({ argsMin: 3, argsMax: Infinity });
  expect(functionSignature('constructor')).toBeUndefined();
});
