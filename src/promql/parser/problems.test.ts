import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VeronaError } from '../../model/errors.ts';
import { closestName } from './closest-name.ts';
import { exprToJson } from './json.ts';
import { ALL_FEATURES } from './options.ts';
import { analyze, parseExpr } from './parse.ts';

import { printExpr } from './print.ts';
import type { Problem } from './problems.ts';

/** A query per line in JSON, and indented below it each of its problems with its place in bytes. Prometheus 3.14 says the same. */
const TABLE = readFileSync(new URL('./testdata/problems.txt', import.meta.url), 'utf8')
  .trim()
  .split(/\n(?! )/)
  .map((block) => block.split('\n'))
  .map(([query, ...problems]) => ({
    query: JSON.parse(query) as string,
    problems: problems.map((line) => line.slice(2)),
  }));

test.each(TABLE)('all that is wrong with $query is told', ({ query, problems }) => {
  const found = analyze(query, { features: ALL_FEATURES }).problems;
  const bytes = (at: number) => Buffer.byteLength(query.slice(0, at));
  const text = ({ start, end, message }: Problem) => `${bytes(start)}-${bytes(end)} ${message}`;
  expect(found.map(text)).toEqual(problems);
});

test.each([
  ['raet(up[5m])', '1:1: parse error: unknown function with name "raet", did you mean "rate"?'],
  ['1 + Histogram_Quantle(1, up)', 'name "Histogram_Quantle", did you mean "histogram_quantile"?'],
  ['coutn_over_time(up[5m])', 'did you mean "count_over_time"?'],
  ['frobnicate(up)', '1:1: parse error: unknown function with name "frobnicate"'],
])('%s: what was meant is guessed where it is close', (query, message) => {
  expect(() => parseExpr(query)).toThrow(message);
});

test('a name is only close when few letters differ', () => {
  expect(closestName('ra', ['rate', 'rad'])).toBe('rad');
  expect(closestName('x', ['rate', 'rad'])).toBeUndefined();
  expect(closestName('a'.repeat(1_000_000), ['rate'])).toBeUndefined();
});

const VALID = [
  'sum by (job, "a.b") (rate({"http.requests", code=~"5.."}[5m:30s] offset -1h @ start())) > bool 0.5',
  'histogram_quantile(0.9, sum without (pod) (increase(x_bucket[1h] smoothed))) / on (a) group_left (b, c) -y ^ 2',
  'topk(3, a{b!="c", d!~"e|f"}) or label_replace(up, "x", "$1", `y`, \'(.*)\') unless count_values("v", z)',
  'a + ignoring (q) fill_left (0) fill_right (-Inf) b % (1e3 - 0x1F) atan2 time() </ 5m',
  'avg_over_time(foo[max_of(step(), 5m) + range() / 2 - -1s:min_of(1m, step())] @ 1.5 offset (2 * 3m))',
  'info(up, {__name__=~".+_info"}) == limitk(2, x) # comment\n and quantile(.5, m) + start() - end()',
];

const PIECES = [
  ...'( ) { } [ ] , = != =~ !~ < > </ >/ "x" \'y\' `z` 5m 1h30m 1 0x1f NaN inf - + * / % ^ @ : # \\ é ☺ \n'.split(
    ' ',
  ),
  ...'foo sum by on bool offset group_left fill( start() step() anchored and or unless atan2 topk( rate(x[5m])'.split(
    ' ',
  ),
];

/** A valid query with some stretches removed, doubled or replaced. */
const MUTATED = fc
  .tuple(
    fc.constantFrom(...VALID),
    fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        removed: fc.nat({ max: 6 }),
        piece: fc.oneof(fc.constant(''), fc.constantFrom(...PIECES), fc.string({ maxLength: 2 })),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  )
  .map(([query, edits]) =>
    edits.reduce((text, { at, removed, piece }) => {
      const start = Math.floor(at * (text.length + 1));
      return text.slice(0, start) + piece + text.slice(start + removed);
    }, query),
  );

test('a mutated query prints to what it is, or its problems lie inside it', () => {
  fc.assert(
    fc.property(MUTATED, (query) => {
      const { expr, problems } = analyze(query, { features: ALL_FEATURES });
      if (expr !== undefined) {
        const again = parseExpr(printExpr(expr), { features: ALL_FEATURES });
        expect(exprToJson(again)).toEqual(exprToJson(expr));
        return;
      }
      expect(problems.length).toBeGreaterThan(0);
      for (const { start, end, message } of problems) {
        expect(message).not.toBe('');
        expect(start).toBeGreaterThanOrEqual(0);
        expect(Math.max(start, end)).toBeLessThanOrEqual(query.length);
      }
      expect(() => parseExpr(query, { features: ALL_FEATURES })).toThrow(VeronaError);
    }),
    { numRuns: 3_000 },
  );
});
