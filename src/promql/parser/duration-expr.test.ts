import { expect, test } from 'vitest';
import type { MatrixSelector, VectorSelector } from './ast.ts';
import { durationMs } from './duration-expr.ts';
import { parseExpr } from './parse.ts';

const TIMING = { stepMs: 15_000, rangeMs: 3_600_000 };

test.each([
  ['5m', 300_000],
  ['1.0006', 1_000],
  ['1h30m % 1h', 1_800_000],
  ['24m+((1.5*2m)+2m)', 1_740_000],
  ['-5m+35m', 1_800_000],
  ['step() * 2 ^ 3', 120_000],
  ['max_of(range() / 2, step())', 1_800_000],
  ['min_of(range(), STEP())', 15_000],
  ['-(step() - 20)', 5_000],
])('the range %j is %d ms', (text, ms) => {
  const { range } = parseExpr(`x[${text}]`) as MatrixSelector;
  expect(durationMs(range, TIMING, 'positive')).toBe(ms);
});

test.each([
  ['2 ^ 2', '^'],
  ['step() * 0', '*'],
  ['-step() * 2', '*'],
  ['-min_of(step(), 1s) + 8000', '+'],
])('an offset without parentheses ends before the operator: offset %s', (text, op) => {
  expect(parseExpr(`x offset ${text}`)).toMatchObject({ kind: 'binary', op });
});

test('an offset may be negative, a range may not', () => {
  const { offset } = parseExpr('x offset (-step() * 2)') as VectorSelector;
  expect(durationMs(offset!, TIMING, 'any')).toBe(-30_000);
  expect(() => durationMs(offset!, TIMING, 'positive')).toThrow('duration must be greater than 0');
});

test.each([
  ['5m / (step() - 15)', 'division by zero'],
  ['5m % (step() - 15)', 'modulo by zero'],
  ['10 ^ 400', 'duration is NaN or infinite'],
  ['10 ^ 300', 'duration is out of range'],
])('%j cannot be evaluated', (text, message) => {
  const { range } = parseExpr(`x[${text}]`) as MatrixSelector;
  expect(() => durationMs(range, TIMING, 'positive')).toThrow(
    expect.objectContaining({ code: 'execution', message: expect.stringContaining(message) }),
  );
});
