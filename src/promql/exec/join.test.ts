import { expect, test } from 'vitest';
import { Labels } from '../../model/labels.ts';
import { MemoryStorage } from '../../storage/memory-storage.ts';
import { Engine } from '../engine.ts';

const ctx = { signal: new AbortController().signal };
const STEPS = 6;
const RANGE = { startMs: 0, endMs: (STEPS - 1) * 60_000, stepMs: 60_000, lookbackDeltaMs: 1 };

/** Series `a` and `b` of five instances with gaps, and two of `many` for each; the last instance of `b` is missing. */
async function storage(): Promise<MemoryStorage> {
  const memory = new MemoryStorage();
  const appender = memory.appender();
  const add = (labels: Record<string, string>, seed: number) => {
    for (let i = 0; i < STEPS; i++)
      if ((seed + i) % 4 !== 0)
        appender.append(Labels.from(labels), i * 60_000, ((seed * 7 + i * 3) % 11) - 5);
  };
  for (let x = 0; x < 5; x++) {
    add({ __name__: 'a', x: `${x}`, only: 'a' }, x);
    if (x < 4) add({ __name__: 'b', x: `${x}`, other: 'b' }, x + 2);
    for (const y of ['1', '2']) add({ __name__: 'many', x: `${x}`, y }, x + Number(y));
  }
  await appender.commit();
  return memory;
}

async function rows(query: string): Promise<string[]> {
  const { value } = await new Engine().range(ctx, await storage(), query, RANGE);
  if (value.type !== 'matrix') throw new Error(value.type);
  const { labels, values, presence, grid } = value.columns;
  return labels.map((set, row) => {
    const cells = Array.from({ length: grid.count }, (_, i) => row * grid.count + i);
    return `${set} ${cells.map((cell) => (presence[cell] === 0 ? '_' : values[cell])).join(' ')}`;
  });
}

const OPERATORS = [
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  'atan2',
  '==',
  '!=',
  '<',
  '>',
  '<=',
  '>=',
  '< bool',
  '== bool',
];
const SHAPES = [
  ['a', 'on (x)', 'b'],
  ['a', 'ignoring (only, other)', 'b'],
  ['many', 'on (x) group_left', 'b'],
  ['b', 'on (x) group_right', 'many'],
] as const;

test.each(SHAPES)('%s %s %s in place is what cell by cell gives', async (left, matching, right) => {
  for (const op of OPERATORS) {
    const plain = `${left} ${op} ${matching} ${right}`;
    // An include clause makes labels one by one, though it names a label that no series has.
    const general = matching.includes('group_')
      ? `${left} ${op} ${matching} (nothing) ${right}`
      : `${left} ${op} ${matching} group_left (nothing) ${right}`;
    const distinct = (query: string) => (matching.includes('group_') ? query : `sum by (x) (${query})`);
    expect(await rows(distinct(plain)), plain).toEqual(await rows(distinct(general)));
  }
});

test('a join gives the cells where both sides are', async () => {
  expect(await rows('a{x="1"} - on (x) b')).toEqual(['{x="1"} -3 _ -3 _ 8 _']);
});
