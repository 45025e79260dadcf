import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { Engine, Labels, queryableFrom, queryableOf, seriesOf } from './module.ts';

const signal = new AbortController().signal;
const at = { timeMs: 60_000 };

test('the example of the manual prints what the manual says', async () => {
  const manual = readFileSync(join(import.meta.dirname, '../../../docs/promql-module.md'), 'utf8');
  const [, code] = /```js\n(import [\s\S]*?)```/.exec(manual)!;
  const [, printed] = /```\n(\{job[\s\S]*?)```/.exec(manual)!;
  const lines: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...parts: unknown[]) => {
    lines.push(parts.map(textOf).join(' '));
  });
  const body = code.replace(/import (.*?) from 'verona\/promql';/, 'const $1 = promql;');
  const run = new Function('promql', `return (async () => {${body}})()`);
  await run({ Engine, queryableOf, seriesOf });
  log.mockRestore();
  expect(`${lines.join('\n')}\n`).toBe(printed);
  expect(body.trim().split('\n').length).toBeLessThanOrEqual(22);
});

/** As Node prints it. */
function textOf(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  return value.length === 0 ? '[]' : `[ ${value.map(textOf).join(', ')} ]`;
}

test('a source may read series when a query asks for them, and is told which', async () => {
  const asked: string[] = [];
  const source = queryableFrom(async function* ({ matchers, mint, maxt }) {
    asked.push(`${matchers.join()} ${mint} ${maxt}`);
    yield { labels: Labels.from({ __name__: 'up', job: 'a' }), samples: [[30_000, 1]] };
    yield { labels: { __name__: 'up', job: 'b' }, samples: [[30_000, 0]] };
  });
  const { value } = await new Engine({ lookbackDeltaMs: 60_000 }).instant({ signal }, source, 'up', at);
  expect(seriesOf(value).map(({ labels, samples }) => [String(labels), samples])).toEqual([
    ['{__name__="up", job="a"}', [[60_000, 1]]],
    ['{__name__="up", job="b"}', [[60_000, 0]]],
  ]);
  expect(asked).toEqual(['__name__="up" 1 60000']);
});

test('samples out of order are refused with their series and time', () => {
  const samples = [
    [2, 1],
    [1, 1],
  ] as const;
  expect(() => queryableOf([{ labels: { __name__: 'x' }, samples }])).toThrow(
    'series {__name__="x"}: sample at 1: out of order',
  );
});

test('a scalar is one series without labels, a string is none', async () => {
  const answer = async (query: string) =>
    seriesOf((await new Engine().instant({ signal }, queryableOf([]), query, at)).value);
  expect(await answer('2')).toEqual([{ labels: Labels.empty, samples: [[60_000, 2]] }]);
  expect(await answer('"text"')).toEqual([]);
});

test('the raw samples of a range vector come in order of time', async () => {
  const source = queryableOf([
    {
      labels: { __name__: 'x' },
      samples: [
        [10_000, 1],
        [20_000, 2],
      ],
    },
  ]);
  const { value } = await new Engine().instant({ signal }, source, 'x[1m]', at);
  expect(seriesOf(value)[0].samples).toEqual([
    [10_000, 1],
    [20_000, 2],
  ]);
});
