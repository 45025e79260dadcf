import { expect, test } from 'vitest';
import { Engine } from '../engine.ts';
import { parseExpr } from '../parser/parse.ts';
import { buildPlan } from './build-plan.ts';
import { mapChildren, type PlanNode } from './node.ts';

const RANGE = { startMs: 600_000, endMs: 1_200_000, stepMs: 60_000 };

function explain(query: string): string[] {
  return new Engine().explain(query, RANGE).split('\n');
}

test('windows are read from one range before the first step, its left end excluded', () => {
  expect(explain('sum by (job) (rate(up[5m] offset 1m))')).toEqual([
    'aggregate sum by (job)',
    '  call rate',
    '    windows of 300000ms of {__name__="up"} offset 60000ms [240001, 1140000] labels (job)',
  ]);
});

test('arithmetic on literals is done once', () => {
  expect(explain('up * (2 ^ 3 - -1)')).toEqual([
    'binary *',
    '  select {__name__="up"} [300001, 1200000]',
    '  number 9',
  ]);
});

test('what does not vary with time is evaluated once', () => {
  expect(explain('sum(up @ 300) + up')).toEqual([
    'binary + one-to-one',
    '  once',
    '    aggregate sum by ()',
    '      select {__name__="up"} at 300000 [1, 300000] newest only labels ()',
    '  select {__name__="up"} [300001, 1200000]',
  ]);
});

test('functions of the evaluation time are not taken to be constant', () => {
  expect(explain('timestamp(up @ 300)')[0]).toBe('call timestamp');
});

test('matchers of one side of a join are asked of the other', () => {
  expect(explain('rate(a{x="1"}[1m]) / b')).toEqual([
    'binary / one-to-one',
    '  call rate',
    '    windows of 60000ms of {x="1", __name__="a"} [540001, 1200000]',
    '  select {__name__="b", x="1"} [300001, 1200000]',
  ]);
  expect(explain('a / on (x) b{x="1", y="2"}')[1]).toBe('  select {__name__="a", x="1"} [300001, 1200000]');
});

test('no matcher keeps rows from being found to be too many of the same', () => {
  expect(explain('a{x="1"} / on (x) b')[2]).toBe('  select {__name__="b"} [300001, 1200000]');
});

test.each(['a{x="1"} or b', 'a{x="1"} unless b', 'absent(a{x="1"}) * b', 'sum(a{x="1"}) * b'])(
  'no matcher crosses %s',
  (query) => {
    expect(explain(query).filter((line) => line.includes('"b"'))).toEqual([
      '  select {__name__="b"} [300001, 1200000]',
    ]);
  },
);

test('equal aggregations run once, equal selectors that stream do not', () => {
  const lines = explain('sum(up) / (sum(up) + count(up))');
  expect(lines.filter((line) => line.includes('shared'))).toHaveLength(2);
  expect(explain('sum(up) / count(up)').join()).not.toContain('shared');
});

test('a subquery is evaluated on multiples of its step', () => {
  expect(explain('max_over_time(up[7m:2m])')).toEqual([
    'call max_over_time',
    '  subquery range 420000ms step 120000ms',
    '    select {__name__="up"} [-59999, 1200000]',
  ]);
});

test('histograms of which only the count is wanted are marked, but not below a subquery', () => {
  expect(explain('histogram_count(rate(h[5m]))')[2]).toContain('statistics only');
  expect(explain('histogram_count(rate(h[5m:1m]))').join()).not.toContain('statistics only');
});

test('a plan shows what threads share, and which labels are ever looked at', () => {
  const options = { ...RANGE, team: { join: () => [] } };
  const linesOf = (query: string) => new Engine().explain(query, options).split('\n');
  const sum = linesOf('sum by (job, zone) (rate(up[5m]) > 1)');
  expect(sum[1]).toBe('  split by series');
  expect(sum[4]).toMatch(/windows of .* labels \(job, zone\)$/);
  for (const query of [
    'sum without (job) (up)',
    'topk by (job) (1, up)',
    'sum by (job) (up + up)',
    'rate(up[5m])',
  ])
    expect(linesOf(query).join(), query).not.toContain('labels (');
});

test('a selector hints at what is closest around it, as far as that is of its own samples', () => {
  const hintsOf = (query: string) => {
    const hints: string[] = [];
    const visit = (node: PlanNode): PlanNode => {
      if (node.kind === 'select' || node.kind === 'windows') hints.push(node.source.func);
      return mapChildren(node, visit);
    };
    const times = { start: 0, end: 0, step: 0, subqueryStep: 60_000, startTimes: false };
    visit(buildPlan(parseExpr(query), times));
    return hints;
  };
  expect(hintsOf('sum(rate(x[5m]))')).toEqual(['rate']);
  expect(hintsOf('max(x) - min by (a) ((x))')).toEqual(['max', 'min']);
  expect(hintsOf('max(-x)')).toEqual(['']);
  expect(hintsOf('max(x - y)')).toEqual(['', '']);
  expect(hintsOf('increase(x[1d:5m])')).toEqual(['increase']);
  expect(hintsOf('changes((x)[1d:5m])')).toEqual(['changes']);
  expect(hintsOf('sum_over_time(x[1d:5m])')).toEqual(['']);
  expect(hintsOf('max_over_time(rate(x[5m])[1d:5m])')).toEqual(['rate']);
});
