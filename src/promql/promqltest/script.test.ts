import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VeronaError } from '../../model/errors.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import { isStale } from '../../model/sample.ts';
import { parseExpr } from '../parser/parse.ts';
import { printExpr } from '../parser/print.ts';
import { pinToTime, variesWithTime } from './at-modifier.ts';
import { almostEqual } from './compare.ts';
import type { Answer, Subject } from './harness.ts';
import { runScript } from './run-script.ts';
import { parseScript } from './script.ts';
import { parseSeriesDescription } from './series-description.ts';
import { parseStartTimes } from './start-times.ts';

function floats(text: string): (number | string)[] {
  return parseSeriesDescription(text).values.map((value) => {
    if (value.kind !== 'float') return value.kind;
    return isStale(value.value) ? 'stale' : value.value;
  });
}

test.each([
  ['x 1 2 3', [1, 2, 3]],
  ['x 0+10x3', [0, 10, 20, 30]],
  ['x 5-2x2', [5, 3, 1]],
  ['x -1x2', [-1, -1, -1]],
  ['x _ 1 _x2 stale', ['omitted', 1, 'omitted', 'omitted', 'stale']],
  ['x{a="b}"} 1e3 .5 -Inf 1.5e-1-0.05x1', [1000, 0.5, -Infinity, 0.15, 0.15 - 0.05]],
])('the series %j has the values %j', (text, values) => {
  expect(floats(text)).toEqual(values);
});

test('a written histogram grows by the one added to it', () => {
  const { values } = parseSeriesDescription(
    'h {{schema:1 sum:4 count:4 buckets:[1 2 1]}}+{{schema:2 sum:1 count:2 buckets:[1 1] offset:-1}}x1 {{count:1 counter_reset_hint:gauge}}',
  );
  expect(values).toHaveLength(3);
  expect(values[1]).toMatchObject({
    hintGiven: false,
    // Buckets -1 and 0 of schema 2 both fall into bucket 0 of schema 1.
    histogram: {
      schema: 1,
      sum: 5,
      count: 6,
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveBuckets: [3, 2, 1],
    },
  });
  expect(values[2]).toMatchObject({ hintGiven: true, histogram: { counterResetHint: 'gauge', count: 1 } });
});

test.each([
  'x 1 {{',
  'x {{schema:a}}',
  'x {{foo:1}}',
  'x {{count:1 count:2}}',
  'x 1y2',
  'x 1+x',
  'x 1x9999999999',
  '{a=b} 1',
  '1',
  'x {{schema:2}}+{{schema:1}}x2',
])('%j is no series', (text) => {
  expect(() => parseSeriesDescription(text)).toThrow(expect.objectContaining({ code: 'bad_data' }));
});

test('start times are offsets from their samples', () => {
  expect(parseStartTimes('_ -30s-1mx2 _x2 +1m 0')).toEqual([
    ...[undefined, -30_000, -90_000, -150_000, undefined, undefined, 60_000, 0],
  ]);
  expect(() => parseStartTimes('1 m')).toThrow('invalid start time');
  expect(parseStartTimes('* -1m _ *x2 *')).toEqual([0, -60_000, undefined, ...Array(4).fill(-60_000)]);
});

test('start times without a metric are those of all series below that have none of their own', () => {
  const [load] = parseScript('load 1m\n  x 1 2 3\n  @st -1s _\n  y 1 2 3\n  z@st 0 _ 1s\n  z 1 2 3');
  const { series } = load as Extract<typeof load, { kind: 'load' }>;
  expect(series.map(({ samples }) => samples.map(({ t, startT }) => startT && startT - t))).toEqual([
    [undefined, undefined, undefined],
    [-1000, undefined, -1000],
    [0, undefined, 1000],
  ]);
});

test('an expected number, or the old form of a failure, ends its evaluation without an empty line', () => {
  const script = 'eval instant at 0 1\n  1\neval_fail instant at 0 x\n  expected_fail_message y\nclear';
  expect(parseScript(script).map(({ kind }) => kind)).toEqual(['eval', 'eval', 'clear']);
});

test('written histograms are added also where zero buckets or custom bounds differ', () => {
  const [load] = parseScript(`load 1m
    x {{schema:0 count:3 z_bucket:1 z_bucket_w:0.5 buckets:[2]}}+{{schema:0 count:1 z_bucket:1 z_bucket_w:1}}x2
    y {{schema:-53 count:3 custom_values:[1 2] buckets:[1 2]}}+{{schema:-53 count:1 custom_values:[2] buckets:[1]}}x1`);
  const { series } = load as Extract<typeof load, { kind: 'load' }>;
  const last = series.map(({ samples }) => samples[samples.length - 1].histogram);
  expect(last[0]).toMatchObject({ zeroThreshold: 1, count: 5, zeroCount: 5 });
  expect(last[1]).toMatchObject({ customValues: [2], count: 4 });
});

test('classic series are loaded once more as native histograms', () => {
  const [load] = parseScript(`load_with_nhcb 1m
    x_bucket{le="1"} 1 2
    x_bucket{le="+Inf"} 3 5
    x_sum 7 9
    x_count 3 5`);
  const { series } = load as Extract<typeof load, { kind: 'load' }>;
  expect(series).toHaveLength(5);
  expect(series[4].labels.toJSON()).toEqual({ [METRIC_NAME]: 'x' });
  expect(series[4].samples[1]).toMatchObject({
    t: 60_000,
    histogram: { schema: -53, customValues: [1], positiveBuckets: [2, 3], count: 5, sum: 9 },
  });
});

test.each([
  ['query x', 'line 1: invalid command "query x"'],
  ['\nload\n  x 1', 'line 2: expected load[_with_nhcb] <step>'],
  ['load 1x\n  x 1', 'line 1: invalid duration "1x"'],
  ['eval instant x', 'line 1: expected eval instant'],
  ['eval range from 1m to 0 step 1s x', 'line 1: the end is before the start'],
  ['eval instant at 1m x\n  expect maybe', 'line 2: expected expect <type>'],
  ['load 1m\n  x@st 0 1m\n  y 1 2', 'line 3: the start times above are of {__name__="x"}'],
  ['load 1m\n  x@st 0 1m\n  x 1', 'line 3: 2 start times, but 1 samples'],
  ['load 1m\n  x@st 0 1m\n  x@st 0 1m\n x 1 2', 'line 3: start times (@st) without a line of samples'],
  ['load 1m\n  x 1 2\n  x@st 0 1m', 'line 3: start times (@st) without a line of samples'],
  ['load 1m\n  x 1\n\n\nload_fast 1m', 'line 5: expected load[_with_nhcb] <step>'],
  ['load 1m\n  x 1\n  x{a=b} 1', 'line 3: 1:5: parse error: unexpected identifier "b" in label set'],
  ['eval instant at 1m x\n  x 1 2', 'line 2: several values for an instant query'],
  ['eval_ordered range from 0 to 1m step 1m x', 'line 1: expected eval instant'],
  [
    'eval instant at 1m x\n  expect info\n  expect no_info',
    'line 3: expect info and expect no_info together',
  ],
  ['eval instant at 1m x\n  expect fail\n  expect fail msg: y', 'line 3: expect fail more than once'],
  ['eval instant at 1m x\n  expect warn regex: (', 'line 2: '],
  ['eval instant at 1m x\n  expect string x', 'line 2: expected expect string followed by a string'],
  ['eval instant at 1m x\n  expect range vector from 1m', 'line 2: expected expect range vector from'],
])('the script %j is refused with its line', (script, message) => {
  expect(() => parseScript(script)).toThrow(message);
});

test('any text is a script or refused', () => {
  const words = [
    'load 1m',
    'eval instant at 1m',
    'clear',
    'x',
    '1',
    '_',
    'x2',
    '\n',
    ' ',
    '{{',
    '}}',
    'schema:1',
    '[',
    'expect',
    'fail',
    '@st',
    '{a="b"}',
  ];
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 3 }))), (parts) => {
      try {
        parseScript(parts.join(' '));
      } catch (error) {
        expect(error).toBeInstanceOf(VeronaError);
      }
    }),
    { numRuns: 1_000 },
  );
});

test.each([
  ['x', 'x @ 60.000'],
  ['rate(x[5m]) / y offset 1m', 'rate(x[5m] @ 60.000) / y @ 60.000 offset 1m'],
  ['sum_over_time(rate(x[5m])[1h:])', 'sum_over_time(rate(x[5m])[1h:] @ 60.000)'],
  ['x @ 10 + y @ start()', 'x @ 10.000 + y @ 60.000'],
])('%j pinned to a minute is %j', (query, pinned) => {
  expect(printExpr(pinToTime(parseExpr(query), 60_000))).toBe(pinned);
});

test('a query with the clock in it cannot be pinned', () => {
  expect(variesWithTime(parseExpr('x + time()'))).toBe(true);
  expect(variesWithTime(parseExpr('sum_over_time(timestamp(x)[5m:])'))).toBe(false);
  expect(variesWithTime(parseExpr('rate(x[5m])'))).toBe(false);
});

test('numbers are equal to a millionth', () => {
  expect(almostEqual(1, 1 + 9e-7)).toBe(true);
  expect(almostEqual(1, 1 + 3e-6)).toBe(false);
  expect(almostEqual(Number.NaN, Number.NaN)).toBe(true);
  expect(almostEqual(0, 1e-9)).toBe(false);
});

/** Answers every query with what it was made with, and knows what it was asked. */
class FixedSubject implements Subject {
  readonly asked: string[] = [];
  readonly #answer: (t: number) => Answer;

  constructor(answer: (t: number) => Answer) {
    this.#answer = answer;
  }

  async load(): Promise<void> {}

  async instant(query: string, t: number) {
    this.asked.push(`${query} at ${t}`);
    return { answer: this.#answer(t), warnings: ['PromQL warning: w (1:1)'], infos: [] };
  }

  async range(query: string, start: number, end: number) {
    this.asked.push(`${query} from ${start} to ${end}`);
    const answer = this.#answer((start + end) / 2);
    if (answer.type !== 'scalar') throw new VeronaError('execution', 'only scalars here');
    const { labels } = parseSeriesDescription('{} _');
    const point = { t: (start + end) / 2, v: answer.v };
    return {
      answer: { type: 'matrix' as const, series: [{ labels, floats: [point], histograms: [] }] },
      warnings: [],
      infos: [],
    };
  }

  async close(): Promise<void> {}
}

async function problems(script: string, answer: (t: number) => Answer): Promise<string[]> {
  const { failures } = await runScript(script, () => new FixedSubject(answer));
  return failures.map(({ line, problem }) => `${line}: ${problem}`);
}

const seven = (): Answer => ({ type: 'scalar', v: 7 });

test('an instant query is asked at other times with @, and as a range query', async () => {
  const subject = new FixedSubject(seven);
  const { passed } = await runScript('eval instant at 10s scalar(x)\n  7', () => subject);
  expect(passed).toBe(1);
  expect(subject.asked).toHaveLength(12);
  expect(subject.asked.slice(0, 4)).toEqual([
    'scalar(x) at 10000',
    'scalar(x) from -50000 to 70000',
    'scalar(x @ 10.000) at -100000',
    'scalar(x @ 10.000) from -160000 to -40000',
  ]);
});

test('a wrong answer fails, also when it is wrong at another time only', async () => {
  expect(await problems('eval instant at 10s scalar(x)\n  8', seven)).toEqual([
    '1: expected scalar 8, got 7',
  ]);
  const drifting = (t: number): Answer => ({ type: 'scalar', v: t === 10_000 ? 7 : 8 });
  expect(await problems('eval instant at 10s scalar(x)\n  7', drifting)).toEqual([
    '1: as scalar(x @ 10.000) at -100000: expected scalar 7, got 8',
  ]);
});

test.each([
  ['expect fail', '1: expected a failure, got an answer to 7'],
  ['expect no_warn', '1: unexpected warn: PromQL warning: w (1:1)'],
  ['expect info', '1: expected info , got none'],
  ['expect warn msg: other', '1: expected warn other, got PromQL warning: w (1:1)'],
])('%j is held against the answer', async (expectation, problem) => {
  expect(await problems(`eval instant at 0 7\n  ${expectation}\n  7`, seven)).toEqual([problem]);
});

test.each([
  'expect warn',
  'expect warn msg: PromQL warning: w (1:1)',
  'expect warn regex: PromQL .*',
  'expect no_info',
])('%j is met', async (expectation) => {
  expect(await problems(`eval instant at 0 7\n  ${expectation}\n  7`, seven)).toEqual([]);
});
