import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BucketBlock } from '../blocks/block-catalog.ts';
import { blockRef } from '../blocks/layout.ts';
import { parseMeta } from '../blocks/meta.ts';
import { XorAppender } from '../chunkenc/xor.ts';
import { decodeLabels, encodeLabels } from '../encoding/label-bytes.ts';
import { compareLabels, Labels } from '../model/labels.ts';
import { Matcher, type MatchType } from '../model/matcher.ts';
import { CALM } from '../objstore/acceptance.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { BlockWriter } from '../tsdb/block/block-writer.ts';
import { StoreGateway } from './store-gateway.ts';

const T0 = 1_700_006_400_000;
const HOUR_MS = 3_600_000;
const METRICS = 40;
const SERIES = 250;
const ULID = '01HF7WTK10R3H52KGNW7N1SZDZ';
const clock = new SystemClock();
const disk = new NodeDisk();
const bucket = new MemoryBucket(clock);
/** Every read of a range: what it was of, its bytes, and one more than the deepest that was answered before it was asked. */
let reads: { readonly file: string; readonly bytes: number; readonly round: number }[] = [];
let dir: string;
let block: BucketBlock;

const ALL = Array.from({ length: METRICS * SERIES }, (_, i) => {
  const [metric, s] = [Math.floor(i / SERIES), i % SERIES];
  return Labels.from({
    __name__: `metric_${String(metric).padStart(2, '0')}`,
    cluster: 'eu',
    instance: `host-${String(s).padStart(3, '0')}`,
    zone: `z${s % 5}`,
    ...(s % 3 === 0 ? { odd: 'yes' } : {}),
  });
}).sort(compareLabels);

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'verona-cold-'));
  const writer = await BlockWriter.create({ disk, dir, ulid: ULID });
  const appender = new XorAppender();
  for (let t = T0; t < T0 + HOUR_MS; t += 60_000) appender.append(t, t % 7);
  const data = appender.bytes().slice();
  const chunk = { mint: T0, maxt: appender.lastTime, encoding: appender.encoding, data };
  for (const labels of ALL)
    await writer.addSeries(encodeLabels(labels), [
      chunk,
      { ...chunk, mint: T0 + 2 * HOUR_MS, maxt: T0 + 2 * HOUR_MS + 1 },
    ]);
  await writer.finish({ minTime: T0, maxTime: T0 + 3 * HOUR_MS, compaction: { level: 1, sources: [ULID] } });
  const sizes = new Map<string, number>();
  for (const file of ['chunks/000001', 'index', 'meta.json']) {
    const bytes = await disk.readFile(join(dir, ULID, file));
    sizes.set(file, bytes.length);
    await bucket.upload(CALM, `acme/${ULID}/${file}`, bytes);
  }
  const meta = parseMeta(await disk.readFile(join(dir, ULID, 'meta.json')), 'meta', ULID);
  block = { ref: blockRef('acme', ULID), meta, sizes, uploadedMs: 0, marks: {} };
  watchReads();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function watchReads(): void {
  let answered = 0;
  const getRange = bucket.getRange.bind(bucket);
  bucket.getRange = async (ctx, key, offset, length) => {
    if (reads.length === 0) answered = 0;
    const read = { file: key.slice(key.indexOf(ULID) + 27), bytes: length, round: answered + 1 };
    reads.push(read);
    await new Promise((resolve) => setTimeout(resolve, 2));
    answered = Math.max(answered, read.round);
    return getRange(ctx, key, offset, length);
  };
}

async function select(gateway: StoreGateway, matchers: readonly Matcher[]): Promise<string[]> {
  const querier = gateway.querier({ blocks: [block], localUlids: new Set() }, T0, T0 + HOUR_MS);
  const found: string[] = [];
  const request = { matchers, mint: T0, maxt: T0 + HOUR_MS, sorted: true };
  for await (const batch of querier.select(CALM, request))
    for (let i = 0; i < batch.seriesCount; i++)
      found.push(decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]).key());
  return found;
}

function expected(matchers: readonly Matcher[]): string[] {
  return ALL.filter((labels) => matchers.every(({ name }, i) => matchers[i].matches(labels.get(name)))).map(
    (labels) => labels.key(),
  );
}

const open = () =>
  new StoreGateway({ cacheDir: join(dir, 'headers') }, { bucket, disk, clock, log: silentLogger });
const m = (type: MatchType, name: string, value: string) => new Matcher(type, name, value);
const METRIC = m('=', '__name__', 'metric_07');

describe('a query of one metric, nothing known but the index-header', () => {
  test('is made of at most three reads, which are two rounds', async () => {
    reads = [];
    expect(
      await open()
        .querier({ blocks: [block], localUlids: new Set() }, T0, T0 + 1)
        .labelNames(CALM, { matchers: [], mint: 0, maxt: 1e13, limit: 0 }),
    ).toContain('zone');
    expect(reads.length).toBeLessThanOrEqual(3);
    expect(Math.max(...reads.map(({ round }) => round))).toBe(2);
  });

  test.each([
    [[METRIC]],
    [[METRIC, m('=', 'cluster', 'eu')]],
    [[METRIC, m('=', 'zone', 'z1')]],
    [[METRIC, m('!=', 'odd', 'yes')]],
    [[METRIC, m('=~', 'instance', 'host-1.*'), m('=~', 'cluster', 'e.'), m('!~', 'zone', 'z[34]')]],
  ])('takes two rounds: lists and series, then chunks: %s', async (matchers) => {
    reads = [];
    expect(await select(open(), matchers)).toEqual(expected(matchers));
    expect(Math.max(...reads.map(({ round }) => round))).toBe(2);
    expect(reads.filter(({ file }) => file.startsWith('chunks'))[0].round).toBe(2);
  });

  test('does not read lists of labels that nearly all series have', async () => {
    reads = [];
    const matchers = [METRIC, m('=', 'cluster', 'eu')];
    expect(await select(open(), matchers)).toEqual(expected(matchers));
    const lists = reads.filter(({ file, round }) => file === 'index' && round === 1);
    // The list of the cluster alone has 40 kB; 250 entries have some 15.
    expect(lists.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(30_000);
  });
});

test('matchers whose lists are not read select the same as those whose lists are', async () => {
  const gateway = open();
  for (const matchers of [
    [m('=', 'instance', 'host-003'), m('=', 'cluster', 'eu')],
    [m('=', 'instance', 'host-003'), m('=', 'cluster', 'us')],
    [m('=', 'instance', 'host-003'), m('!=', 'cluster', 'eu')],
    [m('=', 'instance', 'host-003'), m('!~', 'cluster', 'u.')],
    [m('=', 'instance', 'host-003'), m('=~', '__name__', 'metric_.*'), m('=', 'odd', 'yes')],
    [m('=', 'instance', 'host-004'), m('=', 'odd', '')],
    [m('=', 'instance', 'host-004'), m('=~', 'odd', 'yes|')],
    [m('!=', 'cluster', ''), m('=~', '__name__', 'metric_0[12]'), m('!=', 'zone', 'z0')],
  ])
    expect(await select(gateway, matchers)).toEqual(expected(matchers));
});
