import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CALM, collect } from '../objstore/acceptance.ts';
import { FailingBucket, NO_FAULTS } from '../objstore/failing-bucket.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import type { Clock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SeededRandom } from '../platform/random.ts';
import { BlockMarker } from './block-marker.ts';
import { blockRef } from './layout.ts';
import { parseMeta } from './meta.ts';
import { Shipper, type ShipperOptions } from './shipper.ts';
import { UNFINISHED } from './unfinished-marks.ts';

const disk = new NodeDisk();
/** Waits are over at once. */
const hasty: Clock = {
  now: () => 1_700_000_000_000,
  monotonic: () => 0,
  after: (_, task) => {
    const handle = setImmediate(task);
    return () => clearImmediate(handle);
  },
};

let dir: string;
let inner: MemoryBucket;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'verona-ship-'));
  inner = new MemoryBucket(hasty);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function ulid(i: number): string {
  return `01HQ000000000000000000000${i}`;
}

function writeBlock(i: number, change: { level?: number; folder?: string; noMeta?: boolean } = {}): string {
  const id = ulid(i);
  const folder = join(dir, change.folder ?? id);
  mkdirSync(join(folder, 'chunks'), { recursive: true });
  for (const segment of ['000001', '000002'])
    writeFileSync(join(folder, 'chunks', segment), Buffer.alloc(1000 + i, `${i}${segment}`));
  writeFileSync(join(folder, 'index'), Buffer.alloc(500 + i, `index ${i}`));
  writeFileSync(join(folder, 'tombstones'), 'x');
  const meta = {
    ulid: id,
    minTime: i * 7_200_000,
    maxTime: (i + 1) * 7_200_000,
    stats: { numSamples: 10, numSeries: 2, numChunks: 2 },
    compaction: { level: change.level ?? 1, sources: [id], hints: ['kept'] },
    version: 1,
  };
  if (!change.noMeta) writeFileSync(join(folder, 'meta.json'), JSON.stringify(meta));
  return id;
}

function open(bucket: FailingBucket | MemoryBucket = inner, more: Partial<ShipperOptions> = {}, seed = 1) {
  const deps = {
    bucket,
    disk,
    clock: hasty,
    random: new SeededRandom(seed),
    log: silentLogger,
    metrics: new Metrics(),
  };
  return Shipper.open({ tenant: 'acme', dir, ...more }, deps);
}

async function keysIn(bucket = inner): Promise<string[]> {
  return (await collect(bucket.list(CALM, '', { recursive: true }))).map(({ key }) => key);
}

/** Throws unless every block with a `meta.json` in the bucket is whole and says so. */
async function assertWhole(): Promise<string[]> {
  const keys = new Set(await keysIn());
  const complete = [...keys].filter((key) => key.endsWith('/meta.json'));
  const whole: string[] = [];
  for (const key of complete) {
    const id = key.split('/')[1];
    const data = await inner.get(CALM, key);
    try {
      parseMeta(data, key, id);
    } catch {
      continue;
    }
    for (const { relPath, sizeBytes } of parseMeta(data, key, id).files) {
      if (relPath === 'meta.json') continue;
      const stored = await inner.get(CALM, `acme/${id}/${relPath}`);
      expect(stored.length, relPath).toBe(sizeBytes);
      expect(Buffer.compare(stored, readFileSync(join(dir, id, relPath)))).toBe(0);
    }
    expect(parseMeta(data, key, id).files.map(({ relPath }) => relPath)).toEqual([
      'chunks/000001',
      'chunks/000002',
      'index',
      'meta.json',
    ]);
    whole.push(id);
  }
  return whole;
}

test('finished blocks go to the bucket with a Thanos section, and are remembered', async () => {
  const ids = [writeBlock(1), writeBlock(2)];
  const shipper = await open(inner, { labels: { region: 'eu' } });
  expect(await shipper.sync(CALM)).toEqual({ uploaded: 2, failed: [] });
  expect(await assertWhole()).toEqual(ids);
  const meta = JSON.parse(Buffer.from(await inner.get(CALM, `acme/${ids[0]}/meta.json`)).toString());
  expect(meta).toMatchObject({
    ulid: ids[0],
    compaction: { level: 1, hints: ['kept'] },
    thanos: {
      version: 1,
      labels: { __org_id__: 'acme', region: 'eu' },
      downsample: { resolution: 0 },
      source: 'receive',
    },
  });
  expect(meta.thanos.files.at(-1)).toEqual({ rel_path: 'meta.json' });
  expect(JSON.parse(readFileSync(join(dir, 'thanos.shipper.json'), 'utf8'))).toEqual({
    version: 1,
    uploaded: ids,
  });
  expect(ids.map((id) => shipper.isShipped(id))).toEqual([true, true]);
  expect((await keysIn()).some((key) => key.endsWith('tombstones'))).toBe(false);
});

test('the order is chunks, index, meta.json', async () => {
  const order: string[] = [];
  const watched = new FailingBucket(inner, new SeededRandom(1), hasty);
  watched.upload = async (ctx, key, body) => {
    order.push(key);
    await inner.upload(ctx, key, body);
  };
  const id = writeBlock(1);
  await (await open(watched)).sync(CALM);
  expect(order).toEqual(
    ['chunks/000001', 'chunks/000002', 'index', 'meta.json'].map((file) => `acme/${id}/${file}`),
  );
});

test('blocks being written and compacted ones stay, unless these are asked for', async () => {
  writeBlock(1, { folder: `${ulid(1)}.tmp-for-creation` });
  writeBlock(2, { noMeta: true });
  const compacted = writeBlock(3, { level: 2 });
  expect(await (await open()).sync(CALM)).toEqual({ uploaded: 0, failed: [] });
  expect(await keysIn()).toEqual([]);
  await (await open(inner, { uploadCompacted: true })).sync(CALM);
  expect(await assertWhole()).toEqual([compacted]);
});

test('a compacted block whose time is in the bucket already is not shipped, until that is gone', async () => {
  const ordinary = writeBlock(1);
  const options = { layout: 'root', labels: { cluster: 'eu' } } as const;
  await (await open(inner, options)).sync(CALM);
  rmSync(join(dir, ordinary), { recursive: true });
  const twin = writeBlock(2, { level: 2 });
  const meta = JSON.parse(readFileSync(join(dir, twin, 'meta.json'), 'utf8'));
  writeFileSync(join(dir, twin, 'meta.json'), JSON.stringify({ ...meta, minTime: 7_200_000 }));
  const later = writeBlock(4, { level: 2 });
  const shipper = await open(inner, { ...options, uploadCompacted: true });
  await shipper.sync(CALM);
  expect([shipper.isShipped(twin), shipper.isShipped(later)]).toEqual([false, true]);
  const others = await open(inner, { layout: 'root', labels: { cluster: 'us' }, uploadCompacted: true });
  await others.sync(CALM);
  expect(others.isShipped(twin)).toBe(true);
  await inner.delete(CALM, `${twin}/meta.json`);
  await inner.delete(CALM, `${ordinary}/meta.json`);
  rmSync(join(dir, 'thanos.shipper.json'));
  const again = await open(inner, { ...options, uploadCompacted: true });
  await again.sync(CALM);
  expect(again.isShipped(twin)).toBe(true);
});

test('two shippers on one folder and one bucket leave each block whole and once', async () => {
  const ids = [1, 2, 3, 4].map((i) => writeBlock(i));
  const twins = await Promise.all([open(inner, {}, 1), open(inner, {}, 2)]);
  await Promise.all(twins.map((shipper) => shipper.sync(CALM)));
  expect((await assertWhole()).sort()).toEqual(ids);
});

test('a broken local meta.json is left alone and does not stop the others', async () => {
  writeFileSync(join(dir, writeBlock(1), 'meta.json'), '{"ulid":');
  const fine = writeBlock(2);
  expect(await (await open()).sync(CALM)).toEqual({ uploaded: 1, failed: [] });
  expect(await assertWhole()).toEqual([fine]);
});

test('a shipped block is not uploaded again, also when the state file is lost or broken', async () => {
  const id = writeBlock(1);
  await (await open()).sync(CALM);
  const before = await inner.attributes(CALM, `acme/${id}/index`);
  for (const state of [
    undefined,
    '{"version":1,"uplo',
    '{"version":7}',
    '{"version":1,"uploaded":["../x"]}',
  ]) {
    if (state === undefined) rmSync(join(dir, 'thanos.shipper.json'));
    else writeFileSync(join(dir, 'thanos.shipper.json'), state);
    const failing = new FailingBucket(inner, new SeededRandom(1), hasty);
    const uploads: string[] = [];
    failing.upload = async (_, key) => void uploads.push(key);
    const shipper = await open(failing);
    await shipper.sync(CALM);
    expect(uploads).toEqual([]);
    expect(shipper.isShipped(id)).toBe(true);
  }
  expect(await inner.attributes(CALM, `acme/${id}/index`)).toEqual(before);
});

test('blocks that left the disk are forgotten', async () => {
  const [first, second] = [writeBlock(1), writeBlock(2)];
  const shipper = await open();
  await shipper.sync(CALM);
  rmSync(join(dir, first), { recursive: true });
  const third = writeBlock(3);
  await shipper.sync(CALM);
  expect(JSON.parse(readFileSync(join(dir, 'thanos.shipper.json'), 'utf8')).uploaded).toEqual([
    second,
    third,
  ]);
});

test('a bucket that stays away ends the round, and the next one succeeds', async () => {
  const id = writeBlock(1);
  const bucket = new FailingBucket(inner, new SeededRandom(1), hasty, { ...NO_FAULTS, errors: 1 });
  const shipper = await open(bucket);
  expect(await shipper.sync(CALM)).toEqual({ uploaded: 0, failed: [id] });
  expect(shipper.isShipped(id)).toBe(false);
  bucket.faults = NO_FAULTS;
  expect(await shipper.sync(CALM)).toEqual({ uploaded: 1, failed: [] });
});

test('a meta.json that was cut off is written again', async () => {
  const id = writeBlock(1);
  await inner.upload(CALM, `acme/${id}/meta.json`, Buffer.from('{"ulid":"01HQ'));
  await (await open()).sync(CALM);
  expect(await assertWhole()).toEqual([id]);
});

test('whatever fails and crashes, afterwards every block is whole, once, and never a meta.json came before its files', async () => {
  const ids = [1, 2, 3, 4].map((i) => writeBlock(i));
  for (let seed = 1; seed <= 60; seed++) {
    inner = new MemoryBucket(hasty);
    rmSync(join(dir, 'thanos.shipper.json'), { force: true });
    const random = new SeededRandom(seed);
    const faults = {
      errors: 0.15,
      lostAnswers: 0.1,
      halfWrites: 0.1,
      staleLists: 0.2,
      delays: 0.3,
      delayMsMax: 10,
    };
    const bucket = new FailingBucket(inner, random, hasty, faults);
    for (let process = 0; process < 3; process++) await runUntilCrash(bucket, random, seed);
    bucket.faults = NO_FAULTS;
    const shipper = await open(bucket, {}, seed);
    const report = await shipper.sync(CALM);
    expect(report.failed, `seed ${seed}`).toEqual([]);
    expect(await assertWhole(), `seed ${seed}`).toEqual(ids);
    expect(ids.every((id) => shipper.isShipped(id))).toBe(true);
    expect(await keysIn()).toHaveLength(ids.length * 4);
  }
});

/** One process: some rounds, ended anywhere. What is visible in between must be whole. */
async function runUntilCrash(bucket: FailingBucket, random: SeededRandom, seed: number): Promise<void> {
  const shipper = await open(bucket, {}, seed);
  const controller = new AbortController();
  let turns = Math.floor(random.next() * 120);
  const countdown = () => (turns-- > 0 ? setImmediate(countdown) : controller.abort());
  countdown();
  await shipper.sync(controller).catch((error) => expect(error).toMatchObject({ code: 'canceled' }));
  controller.abort();
  await assertWhole();
}

test('a cancelled round says so and leaves the state usable', async () => {
  const id = writeBlock(1);
  const shipper = await open();
  const round = shipper.sync({ signal: AbortSignal.abort() });
  await expect(round).rejects.toMatchObject({ code: 'canceled' });
  expect(await shipper.sync(CALM)).toEqual({ uploaded: 1, failed: [] });
  expect(shipper.isShipped(id)).toBe(true);
  expect(readdirSync(dir)).toContain('thanos.shipper.json');
});

test('an upload that goes on after its clean-up began is whole, and has no mark of that any more', async () => {
  const id = writeBlock(1);
  const marker = new BlockMarker({ bucket: inner, clock: hasty, log: silentLogger });
  await marker.mark(CALM, blockRef('acme', id), 'deletion', { details: UNFINISHED });
  await marker.quarantine(CALM, blockRef('acme', id), {
    reason: 'damaged',
    details: `${UNFINISHED}: meta.json: not JSON`,
    hidden: true,
  });
  await (await open()).sync(CALM);
  expect(await assertWhole()).toEqual([id]);
  expect((await keysIn()).filter((key) => key.includes('mark'))).toEqual([]);
});

test('a mark that somebody else set stays when the block is shipped again', async () => {
  const id = writeBlock(1);
  await (await open()).sync(CALM);
  const marker = new BlockMarker({ bucket: inner, clock: hasty, log: silentLogger });
  await marker.mark(CALM, blockRef('acme', id), 'deletion', { details: 'its samples are elsewhere' });
  rmSync(join(dir, 'thanos.shipper.json'));
  await (await open()).sync(CALM);
  expect((await keysIn()).filter((key) => key.includes('mark'))).toHaveLength(2);
});

test('a file that a clean-up takes away during the upload is brought again before the block counts', async () => {
  const id = writeBlock(1);
  const upload = inner.upload.bind(inner);
  let taken = false;
  inner.upload = async (ctx, key, body) => {
    await upload(ctx, key, body);
    if (!key.endsWith('meta.json') || taken) return;
    taken = true;
    await inner.delete(ctx, `acme/${id}/chunks/000001`);
  };
  expect(await (await open()).sync(CALM)).toEqual({ uploaded: 1, failed: [] });
  expect(taken).toBe(true);
  expect(await assertWhole()).toEqual([id]);
});
