import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NodeDisk } from '../platform/node-disk.ts';
import { writeTestBlock } from '../tsdb/compact/testdata/blocks.ts';
import type { AnySample } from '../tsdb/head/clip-chunk.ts';
import { bucketCommand } from './testdata/bucket-command.ts';

const HOUR = 3_600_000;
/** A midnight years ago. */
const T = 1_600_041_600_000;
let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'verona-work-'));
  for (let i = 0; i < 12; i++) {
    const [minTime, maxTime] = [T + 2 * i * HOUR, T + 2 * (i + 1) * HOUR];
    const samples: AnySample[] = [];
    for (let t = minTime; t < maxTime; t += 60_000) samples.push({ t, value: (t - T) / 1000 });
    await writeTestBlock(new NodeDisk(), join(dir, 'acme'), {
      // Made in 2020.
      ulid: `01EJ${String(i).padStart(22, '0')}`,
      minTime,
      maxTime,
      series: { '{"a":"1"}': samples, '{"a":"2"}': samples },
    });
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What `verona bucket …` prints. Throws what it says when it fails. */
async function tool(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await bucketCommand(...args, '--dir', dir);
  if (code !== 0) throw Object.assign(new Error(err), { exit: code });
  return out;
}

/** Blocks that are not marked for deletion: resolution and series. */
async function present(): Promise<(readonly [number, number])[]> {
  const plan = JSON.parse(await tool('inspect', '--json')) as {
    resolutionMs: number;
    seriesCount: number;
    marks: readonly string[] | object;
  }[];
  return plan
    .filter(({ marks }) => !JSON.stringify(marks).includes('deletion'))
    .map(({ resolutionMs, seriesCount }) => [resolutionMs, seriesCount] as const)
    .sort((a, b) => a[0] - b[0]);
}

test('blocks are planned, joined, downsampled, rewritten and expired by hand', async () => {
  const [job, ...others] = JSON.parse(await tool('compact', '--plan', '--json'));
  expect(others).toEqual([]);
  expect(job).toMatchObject({ kind: 'compact', tenant: 'acme', shards: 1, resolutionMs: 0 });
  expect(job.blocks).toHaveLength(12);
  expect(await present()).toHaveLength(12);

  const joined = (await tool('compact')).trim();
  expect(await present()).toEqual([[0, 2]]);
  expect(JSON.parse(await tool('compact', '--plan', '--json'))).toEqual([]);

  for (const wrong of [
    ['--delete', '{}'],
    ['--delete', '{a="1"}', '--min-time', '2020-09-14'],
    ['--delete', '{a="1"}', '--max-time', ''],
  ])
    await expect(tool('rewrite', joined, ...wrong)).rejects.toMatchObject({ exit: 2 });
  expect(await present()).toEqual([[0, 2]]);
  expect(await tool('rewrite', joined, '--delete', '{a="1"}', '--dry-run')).toMatch(/^would rewrite acme\//);
  await tool('rewrite', joined, '--delete', '{a="1"}');
  expect(await present()).toEqual([[0, 1]]);

  expect(await tool('downsample', '--dry-run')).toMatch(/^downsample acme: 2020-09-14T00:00:00.000Z/);
  await tool('downsample');
  expect(await present()).toEqual([
    [0, 1],
    [300_000, 1],
    [3_600_000, 1],
  ]);

  const raw = ['retention', '--resolution-raw', '30d'];
  expect(await tool(...raw, '--dry-run')).toMatch(/^would mark acme\/\w{26}: .*resolution 0 ms\n$/);
  await tool(...raw);
  expect((await present()).map(([resolution]) => resolution)).toEqual([300_000, 3_600_000]);
});

test('labels are changed by rules, series that are the same then become one, and a wrong rule is refused', async () => {
  const raw = JSON.parse(await tool('inspect', '--json')) as {
    ulid: string;
    resolutionMs: number;
    marks: object;
  }[];
  const { ulid } = raw.find(({ resolutionMs }) => resolutionMs === 300_000) as { ulid: string };
  const rules = '[{action: labeldrop, regex: a}, {target_label: zone, replacement: eu}]';
  const [result] = JSON.parse(await tool('rewrite', ulid, '--relabel-config', rules, '--json'));
  expect(result).toMatchObject({
    ulid,
    outcome: 'rewritten',
    into: [expect.stringMatching(/^[0-9A-Z]{26}$/)],
  });
  const [report] = JSON.parse(await tool('analyze', result.into[0], '--json'));
  expect(report.pairs).toMatchObject([{ name: 'zone="eu"', series: 1 }]);
  expect(await tool('verify', result.into[0])).toContain('ok 1 series');
  for (const wrong of ['[]', '[{action: nope}]', '[{regex: "("}]', '{'])
    await expect(tool('rewrite', ulid, '--relabel-config', wrong)).rejects.toMatchObject({ exit: 2 });
  await expect(tool('rewrite', ulid)).rejects.toMatchObject({ exit: 2 });
});

test('what is done by hand is told as JSON too, and wrong lengths of time are refused', async () => {
  expect(JSON.parse(await tool('compact', '--json'))).toEqual([]);
  // The 5m block has other labels now, which its 1h block lacks.
  expect(JSON.parse(await tool('downsample', '--json'))).toMatchObject([
    { kind: 'downsample', resolutionMs: 3_600_000, outcome: 'done' },
  ]);
  expect(JSON.parse(await tool('downsample', '--json', '--dry-run'))).toEqual([]);
  const old = JSON.parse(await tool('retention', '--resolution-5m', '1d', '--json'));
  expect(
    old.every(({ done, resolutionMs }: Record<string, unknown>) => done === true && resolutionMs === 300_000),
  ).toBe(true);
  for (const wrong of [
    ['retention'],
    ['retention', '--resolution-raw', 'x'],
    ['compact', '--block-ranges', '2x'],
    ['compact', '--max-index-size-bytes', 'x'],
    ['cleanup', '--deletion-delay', 'soon'],
  ])
    await expect(tool(...wrong)).rejects.toMatchObject({ exit: 2 });
});
