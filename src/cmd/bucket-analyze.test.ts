import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NodeDisk } from '../platform/node-disk.ts';
import { writeTestBlock } from '../tsdb/compact/testdata/blocks.ts';
import type { AnySample } from '../tsdb/head/clip-chunk.ts';
import { bucketCommand } from './testdata/bucket-command.ts';

const HOUR = 3_600_000;
const T = 1_600_041_600_000;
const ULIDS = ['01EJ0000000000000000000001', '01EJ0000000000000000000002'];
let dir: string;

/** Two blocks of two hours: one series in both, one of each job in one of them only. */
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'verona-analyze-test-'));
  const minutes = (from: number, count: number): AnySample[] =>
    Array.from({ length: count }, (_, i) => ({ t: from + i * 60_000, value: i }));
  for (const [i, ulid] of ULIDS.entries()) {
    const minTime = T + 2 * i * HOUR;
    await writeTestBlock(new NodeDisk(), join(dir, 'acme'), {
      ulid,
      minTime,
      maxTime: minTime + 2 * HOUR,
      series: {
        '{"__name__":"up","job":"a"}': minutes(minTime, 120),
        [`{"__name__":"req","job":"a","pod":"p${i}"}`]: minutes(minTime, 60),
        [`{"__name__":"req","job":"b","pod":"q${i}"}`]: minutes(minTime, 60),
      },
    });
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const analyze = async (...args: readonly string[]) =>
  JSON.parse((await bucketCommand('analyze', '--dir', dir, '--json', ...args)).out);

test('series, churn, chunks and bytes are counted over blocks, by metric, label and pair', async () => {
  const [report, ...others] = await analyze();
  expect(others).toEqual([]);
  expect(report).toMatchObject({
    tenant: 'acme',
    blocks: ULIDS,
    series: 5,
    labelNames: 3,
    labelPairs: 8,
    chunks: 6,
  });
  expect(
    report.metrics.map(({ name, series, chunks }: Record<string, unknown>) => [name, series, chunks]),
  ).toEqual([
    ['req', 4, 4],
    ['up', 1, 2],
  ]);
  expect(
    report.labels.map(({ name, values, series }: Record<string, unknown>) => [name, values, series]),
  ).toEqual([
    ['pod', 4, 4],
    ['__name__', 2, 5],
    ['job', 2, 5],
  ]);
  expect(report.pairs[0]).toMatchObject({ name: '__name__="req"', series: 4 });
  // Each series of `req` is there for one hour of four, that of `up` always.
  expect(report.metrics[0].churn).toBeCloseTo(4 * 0.754, 1);
  expect(report.metrics[1].churn).toBeLessThan(0.01);
  // All that is in the chunk files but their heads.
  const files = ULIDS.map((ulid) => statSync(join(dir, 'acme', ulid, 'chunks/000001')).size - 8);
  expect(report.bytes).toBe(files[0] + files[1]);
  expect(report.metrics[0].bytes + report.metrics[1].bytes).toBe(report.bytes);
});

test('a selector, a time and single blocks narrow it, and lists are cut', async () => {
  expect((await analyze('--match', '{job="b"}'))[0]).toMatchObject({ series: 2, labelNames: 3 });
  expect((await analyze(ULIDS[0]))[0]).toMatchObject({ blocks: [ULIDS[0]], series: 3 });
  expect((await analyze('--from', new Date(T + 2 * HOUR).toISOString()))[0].blocks).toEqual([ULIDS[1]]);
  expect((await analyze('--top', '1'))[0].pairs).toHaveLength(1);
  expect(await analyze('--until', '0')).toEqual([]);
});

test('people get tables, and wrong command lines are refused', async () => {
  const { code, out } = await bucketCommand('analyze', '--dir', dir);
  expect(code).toBe(0);
  expect(out).toMatch(
    /^acme: 2 blocks, 2020-09-14T00:00:00.000Z … 2020-09-14T04:00:00.000Z\n5 series, 3 label names, 8 label pairs/,
  );
  expect(out).toMatch(/METRIC +VALUES +SERIES +CHURN +CHUNKS +BYTES\nreq +1 +4/);
  for (const wrong of [
    ['--top', '0'],
    ['--from', 'noon'],
    ['--match', '{'],
  ])
    expect(await bucketCommand('analyze', '--dir', dir, ...wrong)).toMatchObject({ code: 2 });
  expect((await bucketCommand('analyze', '--dir', dir, '01EJ0000000000000000000009')).err).toContain(
    'no whole block',
  );
});
