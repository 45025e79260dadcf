import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { program } from '../../../e2e/programs.ts';
import { decodeXor, XorAppender } from '../../chunkenc/xor.ts';
import { decodeLabels, encodeLabels } from '../../encoding/label-bytes.ts';
import { compareLabels, Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { SystemClock } from '../../platform/clock.ts';
import { NodeDisk } from '../../platform/node-disk.ts';
import { SeededRandom } from '../../platform/random.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { Block } from './block.ts';
import { type BlockChunk, BlockWriter } from './block-writer.ts';
import { decodeTombstones, readTombstones, writeTombstones } from './tombstones.ts';
import { newUlid } from './ulid.ts';
import { verifyBlock } from './verify-block.ts';

const run = promisify(execFile);
const disk = new NodeDisk();
const START = 1_700_000_000_000 - (1_700_000_000_000 % 7_200_000);
const SERIES = 3000;
let dir: string;
let ulid: string;
let block: Block;
const labelSets: Labels[] = [];

function xorChunk(start: number, count: number, value: number): BlockChunk {
  const appender = new XorAppender();
  for (let i = 0; i < count; i++) appender.append(start + i * 15_000, value + i);
  return { mint: start, maxt: start + (count - 1) * 15_000, encoding: 1, data: appender.bytes().slice() };
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'verona-block-'));
  await disk.makeDir(`${dir}/wal`);
  ulid = newUlid(new SystemClock(), new SeededRandom(1));
  for (let i = 0; i < SERIES; i++)
    labelSets.push(
      Labels.from({
        __name__: `metric_${i % 7}`,
        job: i % 2 ? 'api' : 'wéb',
        instance: `host-${i}`,
        ...(i % 3 === 0 && { zone: 'a' }),
      }),
    );
  labelSets.sort(compareLabels);
  const writer = await BlockWriter.create({ disk, dir, ulid, chunkFileBytesMax: 200_000 });
  for (const [i, labels] of labelSets.entries())
    await writer.addSeries(encodeLabels(labels), [
      xorChunk(START, 120, i),
      xorChunk(START + 1_800_000, 100, i),
    ]);
  await writer.finish({
    minTime: START,
    maxTime: START + 7_200_000,
    compaction: { level: 1, sources: [ulid] },
  });
  block = await Block.open(disk, `${dir}/${ulid}`, new PageCache(1024 * 1024));
});

afterAll(async () => {
  await block.close();
  await rm(dir, { recursive: true, force: true });
});

async function select(matchers: Matcher[], mint = START, maxt = START + 7_200_000) {
  const querier = await block.querier(mint, maxt);
  const found: { labels: Labels; samples: [number, number][] }[] = [];
  const signal = new AbortController().signal;
  for await (const batch of querier.select({ signal }, { matchers, mint, maxt, sorted: true }))
    for (let s = 0; s < batch.seriesCount; s++) {
      const samples: [number, number][] = [];
      for (let c = batch.chunkStarts[s]; c < batch.chunkStarts[s + 1]; c++) {
        const { timestamps, values } = decodeXor(
          batch.chunkData,
          batch.chunkDataOffset[c],
          batch.chunkDataLength[c],
        );
        for (let i = 0; i < timestamps.length; i++) samples.push([timestamps[i], values[i]]);
      }
      found.push({
        labels: decodeLabels(batch.labelBytes, batch.labelOffsets[s], batch.labelOffsets[s + 1]),
        samples,
      });
    }
  await querier.close();
  return found;
}

test('everything written is read back in order', async () => {
  const found = await select([new Matcher('=~', '__name__', '.+')]);
  expect(found.map(({ labels }) => labels.toString())).toEqual(labelSets.map(String));
  expect(found[17].samples.length).toBe(220);
  expect(found[17].samples[219]).toEqual([START + 1_800_000 + 99 * 15_000, 17 + 99]);
});

test.each([
  [[new Matcher('=', 'job', 'api')]],
  [[new Matcher('!=', 'job', 'api'), new Matcher('=', 'zone', '')]],
  [[new Matcher('=~', 'instance', 'host-1.*'), new Matcher('!~', '__name__', 'metric_[1-3]')]],
  [[new Matcher('=', 'zone', 'a'), new Matcher('!=', 'instance', '')]],
  [[new Matcher('!=', 'zone', ''), new Matcher('=~', 'job', 'api|wéb|none')]],
  [[new Matcher('=', 'nothing', ''), new Matcher('=~', 'zone', 'a|')]],
  [[new Matcher('=', 'job', 'nobody')]],
  [[new Matcher('!~', 'zone', 'b?')]],
])('matchers %s select what a filter over label sets selects', async (matchers) => {
  const found = await select(matchers);
  const wanted = labelSets.filter((labels) =>
    matchers.every((matcher) => matcher.matches(labels.get(matcher.name))),
  );
  expect(found.map(({ labels }) => labels.toString())).toEqual(wanted.map(String));
});

test('label names and values are sorted, with and without matchers', async () => {
  const querier = await block.querier(0, 0);
  const ctx = { signal: new AbortController().signal };
  const all = { matchers: [], mint: START, maxt: START, limit: 0 };
  expect(await querier.labelNames(ctx, all)).toEqual(['__name__', 'instance', 'job', 'zone']);
  expect(await querier.labelValues(ctx, 'job', all)).toEqual(['api', 'wéb']);
  expect(await querier.labelValues(ctx, 'instance', { ...all, limit: 3 })).toEqual([
    'host-0',
    'host-1',
    'host-10',
  ]);
  const some = { ...all, matchers: [new Matcher('=', 'instance', 'host-1')] };
  expect(await querier.labelNames(ctx, some)).toEqual(['__name__', 'instance', 'job']);
  expect(await querier.labelValues(ctx, 'job', some)).toEqual(['api']);
  await querier.close();
});

test('deleted samples are gone, partly and wholly', async () => {
  const refs = block.index.postings([new Matcher('=', 'instance', 'host-5')]);
  block.replaceTombstones(new Map([[refs[0], [{ mint: START, maxt: START + 1_800_000 + 15_000 }]]]));
  const [series] = await select([new Matcher('=', 'instance', 'host-5')]);
  expect(series.samples.length).toBe(98);
  expect(series.samples[0][0]).toBe(START + 1_800_000 + 30_000);
  block.replaceTombstones(new Map([[refs[0], [{ mint: 0, maxt: 2 * START }]]]));
  expect(await select([new Matcher('=', 'instance', 'host-5')])).toEqual([]);
  block.replaceTombstones(new Map());
});

test('a good block verifies', async () => {
  expect(await verifyBlock(block)).toMatchObject({
    findings: [],
    series: SERIES,
    chunks: 2 * SERIES,
    samples: 220 * SERIES,
  });
});

test('promtool lists, analyzes and dumps it', async () => {
  const promtool = await program('promtool');
  expect((await run(promtool, ['tsdb', 'list', dir])).stdout).toContain(ulid);
  const analyzed = (await run(promtool, ['tsdb', 'analyze', dir])).stdout;
  expect(analyzed).toMatch(/Total Series: *3000|Series: 3000/);
  const dumped = await run(promtool, ['tsdb', 'dump', '--match={instance=~"host-(5|2999)"}', dir]);
  const lines = dumped.stdout.trim().split('\n');
  expect(lines.length).toBe(440);
  const index = labelSets.findIndex((labels) => labels.get('instance') === 'host-5');
  expect(lines.find((line) => line.includes('host-5"'))).toContain(` ${index} ${START}`);
});

test('promtool reads tombstones written here, and dumps what is left', async () => {
  const refs = block.index.postings([new Matcher('=', 'instance', 'host-7')]);
  const gap = { mint: START, maxt: START + 60_000 };
  await writeTombstones(disk, block.dir, new Map([[refs[0], [gap]]]));
  const promtool = await program('promtool');
  const { stdout } = await run(promtool, ['tsdb', 'dump', '--match={instance="host-7"}', dir]);
  expect(stdout.trim().split('\n').length).toBe(215);
  expect(await readTombstones(disk, block.dir)).toEqual(new Map([[refs[0], [gap]]]));
  const bytes = Uint8Array.from(await disk.readFile(`${block.dir}/tombstones`));
  bytes[6] ^= 1;
  expect(() => decodeTombstones(bytes, 'tombstones')).toThrow(/bad checksum/);
  await writeTombstones(disk, block.dir, new Map());
});

test('mutated index and chunk files never crash the reader', async () => {
  const random = new SeededRandom(5);
  const broken = `${dir}/broken`;
  const index = await disk.readFile(`${block.dir}/index`);
  const chunk = await disk.readFile(`${block.dir}/chunks/000001`);
  await disk.makeDir(`${broken}/chunks`);
  await disk.writeFileAtomic(`${broken}/meta.json`, await disk.readFile(`${block.dir}/meta.json`));
  const mutate = (bytes: Uint8Array) => {
    const copy = Uint8Array.from(bytes);
    for (let i = 0; i < 4; i++)
      copy[Math.floor(random.next() * copy.length)] ^= 1 << Math.floor(random.next() * 8);
    return random.next() < 0.2 ? copy.subarray(0, Math.floor(random.next() * copy.length)) : copy;
  };
  let found = 0;
  for (let round = 0; round < 12; round++) {
    await disk.writeFileAtomic(`${broken}/index`, mutate(index));
    await disk.writeFileAtomic(`${broken}/chunks/000001`, mutate(chunk));
    try {
      const opened = await Block.open(disk, broken, new PageCache(1024 * 1024));
      const { findingCount } = await verifyBlock(opened);
      await opened.close();
      expect(findingCount).toBeGreaterThan(0);
    } catch (error) {
      expect(error).toMatchObject({ code: 'corrupt' });
    }
    found++;
  }
  expect(found).toBe(12);
  await disk.remove(broken);
});
