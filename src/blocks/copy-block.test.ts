import { beforeEach, expect, test } from 'vitest';
import { CALM, collect } from '../objstore/acceptance.ts';
import { FailingBucket, NO_FAULTS } from '../objstore/failing-bucket.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { BlockCatalog, type BucketBlock } from './block-catalog.ts';
import { checkBlocks } from './check-bucket.ts';
import { copyBlock } from './copy-block.ts';
import { blockRef } from './layout.ts';

const ULID = '01HQ0000000000000000000001';
const clock = new SystemClock();
let from: MemoryBucket;
let to: MemoryBucket;
let block: BucketBlock;

const catalogOf = (bucket: MemoryBucket) =>
  new BlockCatalog(
    { ignoreDeletionMarksDelayMs: 0 },
    { bucket, clock, log: silentLogger, metrics: new Metrics() },
  );
const put = (bucket: MemoryBucket, key: string, data: string | object) =>
  bucket.upload(CALM, key, Buffer.from(typeof data === 'string' ? data : JSON.stringify(data)));
const target = (bucket = to as MemoryBucket | FailingBucket) => ({
  bucket,
  ref: blockRef('other', ULID, 'root'),
  labels: { cluster: 'a' },
});
const keys = async () => (await collect(to.list(CALM, '', { recursive: true }))).map(({ key }) => key);

beforeEach(async () => {
  [from, to] = [new MemoryBucket(clock), new MemoryBucket(clock)];
  const thanos = {
    labels: { __org_id__: 'acme' },
    source: 'compactor',
    downsample: { resolution: 300_000 },
    extensions: { kept: 1 },
  };
  const meta = { ulid: ULID, minTime: 1, maxTime: 9, version: 1, stats: { numChunks: 3 }, thanos };
  for (const file of ['chunks/000001', 'chunks/000002', 'index', 'no-compact-mark.json', 'tombstones'])
    await put(from, `acme/${ULID}/${file}`, `${file} `.repeat(20_000));
  await put(from, `acme/${ULID}/meta.json`, meta);
  [block] = (await catalogOf(from).refresh(CALM, 'acme')).whole;
});

test('a copy has the files, its own labels, everything else of meta.json, and no marks', async () => {
  expect(await copyBlock(CALM, from, block, target(), { checksum: true })).toMatchObject({
    outcome: 'copied',
  });
  expect(await keys()).toEqual(
    ['chunks/000001', 'chunks/000002', 'index', 'meta.json'].map((file) => `${ULID}/${file}`),
  );
  const meta = JSON.parse(Buffer.from(await to.get(CALM, `${ULID}/meta.json`)).toString());
  expect(meta).toMatchObject({
    minTime: 1,
    thanos: {
      labels: { cluster: 'a' },
      source: 'compactor',
      downsample: { resolution: 300_000 },
      extensions: { kept: 1 },
    },
  });
  expect(meta.thanos.labels).toEqual({ cluster: 'a' });
  expect(meta.thanos.files).toContainEqual({ rel_path: 'index', size_bytes: 120_000 });
  expect(await copyBlock(CALM, from, block, target())).toEqual({ outcome: 'present', bytes: 0 });
});

test('an interrupted copy shows nothing, and goes on with the files that are missing', async () => {
  const faulty = new FailingBucket(to, new SeededRandom(3), clock, {
    ...NO_FAULTS,
    errors: 0.2,
    lostAnswers: 0.2,
    halfWrites: 0.2,
  });
  let total = 0;
  for (let i = 0; i < 200 && total === 0; i++) {
    const report = await copyBlock(CALM, from, block, target(faulty)).catch(() => undefined);
    const there = await keys();
    if (there.includes(`${ULID}/meta.json`)) expect(there).toHaveLength(4);
    total = report?.bytes ?? (report ? 1 : 0);
  }
  expect(total).toBeGreaterThan(0);
  expect(checkBlocks(await wholeOf(), Date.now(), 0).filter(({ severity }) => severity === 'error')).toEqual(
    [],
  );
});

const wholeOf = async () => {
  const catalog = new BlockCatalog(
    {
      ignoreDeletionMarksDelayMs: 0,
      rootTenancy: { tenantLabel: '', tenant: 'other', isTenant: () => true },
    },
    { bucket: to, clock, log: silentLogger, metrics: new Metrics() },
  );
  return catalog.refresh(CALM, 'other', { full: true });
};

test('another block of the same name is not replaced', async () => {
  await put(to, `${ULID}/meta.json`, { ulid: ULID, minTime: 5, maxTime: 9, version: 1 });
  await expect(copyBlock(CALM, from, block, target())).rejects.toMatchObject({ code: 'conflict' });
});

test('a target that stores something else is noticed, and shows no block', async () => {
  const upload = to.upload.bind(to);
  to.upload = (ctx, key) => upload(ctx, key, Buffer.from('other'));
  await expect(copyBlock(CALM, from, block, target())).rejects.toMatchObject({ code: 'corrupt' });
  expect(await keys()).not.toContain(`${ULID}/meta.json`);
  const flip = async function* (body: AsyncIterable<Uint8Array>) {
    for await (const piece of body) yield piece.map((byte) => byte ^ 1);
  };
  to.upload = (ctx, key, body) => upload(ctx, key, body instanceof Uint8Array ? body : flip(body));
  await expect(copyBlock(CALM, from, block, target(), { checksum: true })).rejects.toThrow(
    'not what was sent',
  );
  expect(await keys()).not.toContain(`${ULID}/meta.json`);
});

test('a check finds what is missing, too short, left over, set aside or overlapping', async () => {
  const id = (i: number) => ULID.replace(/1$/, String(i));
  const good = { version: 1, compaction: { level: 2 }, stats: { numChunks: 1 } };
  const files = {
    thanos: {
      files: [
        { rel_path: 'index', size_bytes: 5 },
        { rel_path: 'chunks/000001', size_bytes: 5 },
      ],
    },
  };
  for (const i of [2, 3, 4])
    await put(from, `acme/${id(i)}/meta.json`, {
      ...good,
      ...files,
      ulid: id(i),
      minTime: i,
      maxTime: i + 2,
    });
  for (const i of [2, 4]) await put(from, `acme/${id(i)}/chunks/000001`, '12345');
  await put(from, `acme/${id(3)}/index`, '123');
  await put(from, `acme/${id(4)}/index`, '12345');
  await put(from, `acme/${id(5)}/index`, '12345');
  await put(from, `acme/${id(6)}/meta.json`, 'garbage');
  await put(from, `acme/markers/${id(7)}-deletion-mark.json`, '{}');
  await put(from, `acme/${id(4)}/quarantine-mark.json`, {
    id: id(4),
    version: 1,
    quarantine_time: 1,
    reason: 'bad chunk',
  });
  const view = await catalogOf(from).refresh(CALM, 'acme');
  const findings = checkBlocks(view, Date.now() + 1000, 500).map(
    ({ severity, where, text }) => `${severity} ${where.slice(30)} ${text}`,
  );
  expect(findings.sort()).toEqual([
    `error 2/index missing`,
    `error 3/chunks missing`,
    `error 3/chunks/000001 missing`,
    `error 3/index 3 bytes, meta.json says 5`,
    `error 6 meta.json does not decode; nobody reads the block`,
    `warning 3 overlaps ${id(2)} in time`,
    `warning 4 overlaps ${id(3)} in time`,
    `warning 4 set aside: bad chunk`,
    `warning 5 left over from an upload or a deletion: there is no meta.json`,
    `warning 7 a deletion mark of a block that is gone`,
  ]);
});
