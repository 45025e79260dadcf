import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { blockRef } from '../blocks/layout.ts';
import { MARK_KINDS, type MarkKind } from '../blocks/marks.ts';
import { planCompaction } from './plan.ts';
import { planDownsampling } from './plan-downsampling.ts';
import type { CompactionRules } from './rules.ts';
import { RULES } from './testdata/kit.ts';

const HOUR = 3_600_000;
const scripts = readFileSync(join(import.meta.dirname, 'testdata/plan.txt'), 'utf8')
  .split('\n\n')
  .slice(1)
  .map((text) => text.trim().split('\n'));

test.each(scripts.map((lines) => [lines[0].slice(2), lines.slice(1)]))('%s', (_, lines) => {
  const divider = (lines as string[]).indexOf('----');
  expect(runScript((lines as string[]).slice(0, divider))).toEqual(lines.slice(divider + 1));
});

function runScript(commands: readonly string[]): string[] {
  let rules: CompactionRules = { ...RULES, seriesMax: 1000 };
  const blocks: BucketBlock[] = [];
  const names = new Map<string, string>();
  const out: string[] = [];
  for (const command of commands) {
    const [verb, ...words] = command.split(' ');
    if (verb === 'ranges') rules = { ...rules, rangesMs: words.map((hours) => Number(hours) * HOUR) };
    else if (verb === 'most') rules = { ...rules, blocksMax: Number(words[0]) };
    else if (verb === 'block') blocks.push(toBlock(words, names));
    else if (verb === 'downsample') out.push(downsampleLine(Number(words[0]), blocks, rules, names));
    else out.push(planLine(Number(words[0]), blocks, rules, names));
  }
  return out;
}

function planLine(
  hour: number,
  blocks: readonly BucketBlock[],
  rules: CompactionRules,
  ulids: ReadonlyMap<string, string>,
): string {
  const nameOf = (ulid: string) => [...ulids].find(([, known]) => known === ulid)?.[0];
  const { garbage, jobs } = planCompaction('t', blocks, rules, hour * HOUR);
  const drops = garbage.map(
    ({ block, coveredBy }) => `drop ${nameOf(block.meta.ulid)} for ${coveredBy.map(nameOf).join(' ')}`,
  );
  const joins = jobs.map(
    (job) =>
      `join ${job.blocks.map(({ ref }) => nameOf(ref.ulid)).join(' ')}${job.shards > 1 ? ` into ${job.shards}` : ''}`,
  );
  return `at ${hour}: ${[...drops, ...joins].join(', ')}`.trim();
}

function downsampleLine(
  hour: number,
  blocks: readonly BucketBlock[],
  rules: CompactionRules,
  ulids: ReadonlyMap<string, string>,
): string {
  const plan = planCompaction('t', blocks, rules, hour * HOUR);
  const after = { fiveMinutesAfterMs: HOUR, oneHourAfterMs: 0 };
  const jobs = planDownsampling('t', blocks, plan, after, hour * HOUR);
  const names = jobs.map((job) => [...ulids].find(([, ulid]) => ulid === job.blocks[0].ref.ulid)?.[0]);
  return `at ${hour}: downsample ${names.join(' ')}`;
}

function toBlock([name, span, ...settings]: readonly string[], names: Map<string, string>): BucketBlock {
  const [mint, maxt] = span.split('-').map((hours) => Number(hours) * HOUR);
  const {
    level = '1',
    res = '0',
    made,
    of,
    series = '10',
    mark,
    ...labels
  } = Object.fromEntries(settings.map((setting) => setting.split('=')));
  const ulid = ulidAt(made === undefined ? maxt : Number(made) * HOUR, names.size);
  names.set(name, ulid);
  const ulidOf = (source: string) =>
    names.get(source) ?? names.set(source, ulidAt(0, 900 + names.size)).get(source)!;
  const kind = MARK_KINDS.find((known) => known === mark);
  return {
    ref: blockRef('t', ulid),
    meta: {
      ulid,
      mint,
      maxt,
      level: Number(level),
      sources: of === undefined ? [ulid] : of.split('+').map(ulidOf),
      seriesCount: Number(series),
      chunkCount: 0,
      labels,
      resolutionMs: Number(res),
      files: [],
      appliedDeletions: [],
    },
    sizes: new Map([['index', 1000]]),
    uploadedMs: made === undefined ? maxt : Number(made) * HOUR,
    marks: kind ? ({ [kind]: markAt(kind) } as BucketBlock['marks']) : {},
  };
}

function markAt(_: MarkKind) {
  return { timeMs: 0, reason: '', details: '', hidden: false };
}

function ulidAt(timeMs: number, i: number): string {
  const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  let time = '';
  for (let rest = timeMs, k = 0; k < 10; k++, rest = Math.floor(rest / 32)) time = digits[rest % 32] + time;
  return `${time}${String(i).padStart(16, '0')}`;
}
