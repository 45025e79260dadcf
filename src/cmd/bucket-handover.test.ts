import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeName } from '../blocks/changes.ts';
import { deletionKey, encodeDeletionRequest } from '../blocks/deletion-request.ts';
import { SHARD_LABEL } from '../blocks/shard-label.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { writeTestBlock } from '../tsdb/compact/testdata/blocks.ts';
import { bucketCommand } from './testdata/bucket-command.ts';

const HOUR = 3_600_000;
/** A midnight years ago. */
const T = 1_600_041_600_000;
const SERIES = Array.from({ length: 20 }, (_, i) => `{"a":"${i}"}`);
const SOURCES = Array.from({ length: 4 }, (_, i) => `01EJ${String(i).padStart(22, '0')}`);
let dir: string;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'verona-handover-'));
  for (let i = 0; i < 4; i++) {
    const [minTime, maxTime] = [T + 2 * i * HOUR, T + 2 * (i + 1) * HOUR];
    const samples = Array.from({ length: 120 }, (_, k) => ({ t: minTime + k * 60_000, value: k }));
    await writeTestBlock(new NodeDisk(), join(dir, 'acme'), {
      ulid: SOURCES[i],
      minTime,
      maxTime,
      series: Object.fromEntries(SERIES.map((series) => [series, samples])),
    });
  }
  // Two parts of each time, and coarser ones.
  await tool('compact', '--max-index-size-bytes', '4000');
  await tool('downsample');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function tool(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await bucketCommand(...args, '--dir', dir);
  if (code !== 0) throw Object.assign(new Error(err), { exit: code });
  return out;
}

interface Found {
  readonly resolution: number;
  readonly shard: string | undefined;
  readonly series: number;
  readonly sources: readonly string[];
  readonly isMarked: boolean;
}

function blocks(): (Found & { readonly ulid: string })[] {
  const folder = join(dir, 'acme');
  return readdirSync(folder)
    .filter((name) => /^[0-9A-Z]{26}$/.test(name))
    .map((ulid) => {
      const meta = JSON.parse(readFileSync(join(folder, ulid, 'meta.json'), 'utf8'));
      return {
        ulid,
        resolution: meta.thanos?.downsample.resolution ?? 0,
        shard: meta.thanos?.labels[SHARD_LABEL],
        series: meta.stats.numSeries,
        sources: meta.compaction.sources,
        isMarked: readdirSync(join(folder, ulid)).includes('deletion-mark.json'),
      };
    })
    .sort((a, b) => a.resolution - b.resolution);
}

test('parts of blocks become one block again, deleted series go, and so does all that is marked', async () => {
  const before = blocks();
  const parts = before.filter(({ isMarked }) => !isMarked);
  expect(parts.map(({ resolution, shard }) => [resolution, shard])).toEqual(
    expect.arrayContaining([
      [0, '1_of_2'],
      [0, '2_of_2'],
      [300_000, '1_of_2'],
      [3_600_000, '2_of_2'],
    ]),
  );
  expect(parts).toHaveLength(6);
  const id = '01KC000000000000000000000A';
  const request = {
    id,
    timeMs: Date.now(),
    mint: T,
    maxt: T + 24 * HOUR,
    matcherSets: [[{ name: 'a', type: '=', value: '7' }]],
  } as const;
  const key = join(dir, deletionKey('acme', id));
  mkdirSync(dirname(key), { recursive: true });
  writeFileSync(key, encodeDeletionRequest(request));

  expect(JSON.parse(await tool('handover', '--dry-run', '--json'))).toHaveLength(3);
  expect(blocks()).toEqual(before);
  const done = JSON.parse(await tool('handover', '--json')) as object[];
  expect(done).toHaveLength(3);
  // Thanos makes a raw block coarser that has a source which is in no coarser block.
  const sources = [...SOURCES, changeName(id)].sort();
  expect(blocks().map(({ ulid: _, ...block }) => block)).toEqual(
    [0, 300_000, 3_600_000].map((resolution) => ({
      resolution,
      shard: undefined,
      series: 19,
      sources,
      isMarked: false,
    })),
  );
  expect((await tool('verify')).match(/ ok 19 series/g)).toHaveLength(3);
  expect(JSON.parse(await tool('handover', '--json'))).toEqual([]);
});

test('where a part of a time is missing the others stay as they are, and the exit code says so', async () => {
  const [part] = blocks().filter(({ shard, resolution }) => shard && resolution === 0);
  rmSync(join(dir, 'acme', part.ulid), { recursive: true });
  await expect(tool('handover')).rejects.toMatchObject({
    exit: 1,
    message: expect.stringContaining('not all parts of its time are there'),
  });
  expect(blocks().filter(({ shard }) => shard)).toHaveLength(1);
});
