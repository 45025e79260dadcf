import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { program } from '../../../e2e/programs.ts';
import type { VeronaError } from '../../model/errors.ts';
import { Matcher } from '../../model/matcher.ts';
import { SystemClock } from '../../platform/clock.ts';
import { NodeDisk } from '../../platform/node-disk.ts';
import { SystemRandom } from '../../platform/random.ts';
import { Block } from '../block/block.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { analyzeBlock } from './analyze.ts';
import { blocksIn } from './blocks-in.ts';
import { createBlocksFromOpenMetrics } from './create-blocks.ts';
import { dumpBlock } from './dump.ts';
import { listBlocks } from './list.ts';
import { OpenMetricsParser } from './openmetrics.ts';
import { verifyBlocks } from './verify.ts';

const run = promisify(execFile);
const disk = new NodeDisk();
const ctx = { clock: new SystemClock(), random: new SystemRandom() };
let dir: string;
let input: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'verona-tools-'));
  input = join(dir, 'input.txt');
  const lines = ['# HELP requests Requests, with "quotes".', '# TYPE requests counter'];
  for (let i = 0; i < 2000; i++)
    for (const code of ['200', '500'])
      lines.push(
        `requests_total{code="${code}",path="/a\\"b\\\\c\\n"} ${i * 3.25} ${1_700_000_000 + i * 15}.5${i === 7 ? ' # {trace_id="1"} 1' : ''}`,
      );
  lines.push(
    '# TYPE odd gauge',
    'odd NaN 1700000000',
    'odd{a="x"} +Inf 1700000000',
    'odd{a="y"} -1e-9 1700000000',
    '# EOF',
    '',
  );
  await writeFile(input, lines.join('\n'));
});

afterAll(() => rm(dir, { recursive: true, force: true }));

async function dumpAll(blocksDir: string): Promise<string[]> {
  const lines: string[] = [];
  for (const { dir: blockDir } of await blocksIn(disk, blocksDir)) {
    const block = await Block.open(disk, blockDir, new PageCache(2 ** 20));
    const request = {
      matchers: [new Matcher('=~', '__name__', '.*')],
      mint: 0,
      maxt: 2 ** 50,
      signal: new AbortController().signal,
    };
    for await (const text of dumpBlock(block, request)) lines.push(...text.trim().split('\n'));
    await block.close();
  }
  return lines.sort();
}

test('blocks made here and by promtool hold the same, whoever dumps them', async () => {
  const promtool = await program('promtool');
  const ours = join(dir, 'ours');
  const theirs = join(dir, 'theirs');
  const metas = await createBlocksFromOpenMetrics({
    disk,
    ...ctx,
    inputPath: input,
    outputDir: ours,
    samplesMax: 1500,
  });
  await run(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', input, theirs]);
  await mkdir(join(ours, 'wal'));
  const want = (await blocksIn(disk, theirs)).map(({ meta }) => [
    meta.minTime,
    meta.maxTime,
    meta.stats.numSamples,
    meta.stats.numSeries,
  ]);
  expect(
    metas.map(({ minTime, maxTime, stats }) => [minTime, maxTime, stats.numSamples, stats.numSeries]),
  ).toEqual(want);
  const dumped = (await run(promtool, ['tsdb', 'dump', ours], { maxBuffer: 2 ** 26 })).stdout
    .trim()
    .split('\n')
    .sort();
  expect(dumped.length).toBe(4003);
  expect(await dumpAll(ours)).toEqual(dumped);
  expect(await dumpAll(theirs)).toEqual(dumped);
  expect((await verifyBlocks(disk, theirs)).text).not.toContain('BAD');
  expect((await verifyBlocks(disk, ours)).good).toBe(true);
});

test('list and analyze describe the blocks', async () => {
  const ours = join(dir, 'ours');
  const [{ dir: first, meta }] = await blocksIn(disk, ours);
  const { text: list, good } = await listBlocks(disk, ours);
  expect(good).toBe(true);
  expect(list.split('\n')[0]).toBe(
    'BLOCK ULID                  MIN TIME       MAX TIME       DURATION       NUM SAMPLES  NUM CHUNKS  NUM SERIES  SIZE',
  );
  expect(list).toContain(`${meta.ulid}  1700000000000`);
  const block = await Block.open(disk, first, new PageCache(2 ** 20));
  const text = await analyzeBlock(block);
  await block.close();
  expect(text).toContain('Total Series: 5\n');
  expect(text).toContain('Highest cardinality labels:\n2 __name__\n2 a\n2 code\n1 path\n');
});

test('a block whose meta.json does not read is told below the table of the others', async () => {
  const broken = join(dir, 'broken');
  await createBlocksFromOpenMetrics({ disk, ...ctx, inputPath: input, outputDir: broken });
  const [, { dir: second, meta }] = await blocksIn(disk, broken);
  await disk.writeFileAtomic(`${second}/meta.json`, new TextEncoder().encode('{'));
  const { text, good } = await listBlocks(disk, broken);
  expect(good).toBe(false);
  expect(text).toContain(`\n${second}/meta.json: `);
  expect(text.split('\n').length).toBeGreaterThan(4);
  expect(text).not.toContain(`\n${meta.ulid}`);
});

test('a damaged block is named with what is wrong', async () => {
  const [{ dir: first, meta }] = await blocksIn(disk, join(dir, 'theirs'));
  const bytes = Uint8Array.from(await disk.readFile(`${first}/chunks/000001`));
  bytes[20] ^= 1;
  await disk.writeFileAtomic(`${first}/chunks/000001`, bytes);
  const { text, good } = await verifyBlocks(disk, join(dir, 'theirs'));
  expect(good).toBe(false);
  expect(text).toMatch(new RegExp(`${meta.ulid} BAD[^\\n]*\\n {2}.*chunks/000001: bad chunk checksum at 8`));
});

test.each([
  ['a 1\n# EOF', 'line 1: expected a timestamp'],
  ['a 1 1\n', 'line 1: the text does not end with # EOF'],
  ['a{b=} 1 1\n# EOF', 'line 1, column 5: expected a label value in quotes'],
  ['a 1 1\na{b="c"} x 1\n# EOF', 'line 2, column 10: expected a value'],
  ['a{b="1",b="2"} 1 1\n# EOF', 'a label occurs twice'],
  ['a 1 1\na 2 1\n# EOF', 'two values at 1000'],
])('%j is refused: %s', async (text, message) => {
  const path = join(dir, 'bad.txt');
  await writeFile(path, text);
  await expect(
    createBlocksFromOpenMetrics({ disk, ...ctx, inputPath: path, outputDir: join(dir, 'bad') }),
  ).rejects.toMatchObject({ code: 'bad_data', message: expect.stringContaining(message) });
});

test('any line parses or is refused with bad_data', () => {
  const piece = fc.constantFrom(
    'a',
    '{',
    '}',
    '=',
    '"',
    '\\',
    ',',
    ' ',
    '1',
    '.',
    'e',
    '+',
    'NaN',
    '#',
    '# EOF',
    'é',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      try {
        const sample = new OpenMetricsParser().line(pieces.join(''));
        if (sample) expect(sample.labels.get('__name__')).not.toBe('');
      } catch (error) {
        expect((error as VeronaError).code).toBe('bad_data');
      }
    }),
  );
});
