import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BlockCatalog, type BucketBlock } from '../blocks/block-catalog.ts';
import type { DeletionRequest } from '../blocks/deletion-request.ts';
import { decodeChunk } from '../chunkenc/chunk.ts';
import { decodeLabels } from '../encoding/label-bytes.ts';
import { compareLabels, compareStrings, Labels } from '../model/labels.ts';
import { Matcher, type MatchType } from '../model/matcher.ts';
import { CALM, collect } from '../objstore/acceptance.ts';
import { FailingBucket, NO_FAULTS } from '../objstore/failing-bucket.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SeededRandom } from '../platform/random.ts';
import type { LabelRequest, Querier, SelectRequest } from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { retainHeaders } from './header-store.ts';
import { StoreGateway, type StoreGatewayOptions } from './store-gateway.ts';

const T0 = 1_700_006_400_000;
const MINUTE_MS = 60_000;
const END = T0 + 240 * MINUTE_MS;
const TESTDATA = join(import.meta.dirname, 'testdata');
const ULIDS = readdirSync(TESTDATA).filter((name) => !name.endsWith('.md'));
const clock = new SystemClock();
const disk = new NodeDisk();

interface Series {
  readonly labels: Labels;
  readonly samples: (readonly [number, number])[];
}

/** What the blocks were made from. */
const TRUTH: readonly Series[] = makeTruth();

let dir: string;
let inner: MemoryBucket;
let bucket: FailingBucket;
let blocks: readonly BucketBlock[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'verona-gateway-'));
  inner = new MemoryBucket(clock);
  bucket = new FailingBucket(inner, new SeededRandom(1), clock);
  for (const ulid of ULIDS)
    for (const file of ['chunks/000001', 'index', 'meta.json'])
      await inner.upload(CALM, `acme/${ulid}/${file}`, readFileSync(join(TESTDATA, ulid, file)));
  blocks = await refresh();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function refresh(): Promise<readonly BucketBlock[]> {
  const deps = { bucket: inner, clock, log: silentLogger, metrics: new Metrics() };
  const catalog = new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps);
  return (await catalog.refresh(CALM, 'acme')).readable;
}

function open(options: Partial<StoreGatewayOptions> = {}): StoreGateway {
  return new StoreGateway({ cacheDir: dir, ...options }, { bucket, disk, clock, log: silentLogger });
}

function querier(gateway = open(), localUlids: ReadonlySet<string> = new Set()): Querier {
  return gateway.querier({ blocks, localUlids }, T0 - 1, END);
}

function request(matchers: readonly Matcher[], change: Partial<SelectRequest> = {}): SelectRequest {
  return { matchers, mint: T0, maxt: END, sorted: true, ...change };
}

const labelRequest = (matchers: readonly Matcher[], change: Partial<LabelRequest> = {}): LabelRequest => ({
  matchers,
  mint: T0,
  maxt: END,
  limit: 0,
  ...change,
});

async function select(from: Querier, wanted: SelectRequest): Promise<Series[]> {
  return (await collect(from.select(CALM, wanted))).flatMap((batch) => decodeBatch(batch, wanted));
}

/** Series of a batch with their samples in the wanted range, equal timestamps merged. */
function decodeBatch(batch: SeriesBatch, { mint, maxt }: SelectRequest): Series[] {
  return Array.from({ length: batch.seriesCount }, (_, i) => {
    const samples = new Map<number, number>();
    for (let c = batch.chunkStarts[i]; c < batch.chunkStarts[i + 1]; c++) {
      const [offset, length] = [batch.chunkDataOffset[c], batch.chunkDataLength[c]];
      const chunk = decodeChunk(batch.chunkEncoding[c], batch.chunkData, offset, length);
      if (chunk.kind !== 'float') throw new Error('a float chunk was expected');
      for (const [k, t] of chunk.timestamps.entries())
        if (t >= mint && t <= maxt) samples.set(t, chunk.values[k]);
    }
    const labels = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]);
    return { labels, samples: [...samples] };
  });
}

function expected({ matchers, mint, maxt }: Pick<SelectRequest, 'matchers' | 'mint' | 'maxt'>): Series[] {
  return TRUTH.filter(({ labels }) => matchers.every((matcher) => matcher.matches(labels.get(matcher.name))))
    .map(({ labels, samples }) => ({ labels, samples: samples.filter(([t]) => t >= mint && t <= maxt) }))
    .filter(({ samples }) => samples.length > 0);
}

function makeTruth(): Series[] {
  const all: Series[] = [
    { labels: Labels.from({ __name__: 'wide', text: 'é'.repeat(400) }), samples: samplesOf((k) => k / 3) },
  ];
  for (let s = 0; s < 20; s++) {
    const labels = { instance: `host-${s}`, zone: `z${s % 3}`, ...(s % 2 ? { odd: 'yes' } : {}) };
    const present = (k: number) => (s === 19 ? k < 120 : s === 18 ? k >= 120 : true);
    all.push({ labels: Labels.from({ __name__: 'up', ...labels }), samples: samplesOf((k) => (k + s) % 7) });
    all.push({
      labels: Labels.from({ __name__: 'jobs_total', ...labels }),
      samples: samplesOf((k) => k * (s + 1), present),
    });
  }
  return all.sort((a, b) => compareLabels(a.labels, b.labels));
}

function samplesOf(value: (k: number) => number, present: (k: number) => boolean = () => true) {
  const samples: (readonly [number, number])[] = [];
  for (let k = 0; k < 240; k++) if (present(k)) samples.push([T0 + k * MINUTE_MS, value(k)]);
  return samples;
}

test("a signal of the caller's own making is listened to", async () => {
  const signal = new OwnSignal();
  const wanted = request([new Matcher('=~', '__name__', '.+')]);
  expect((await collect(querier().select({ signal }, wanted))).length).toBeGreaterThan(0);
  expect(signal.listeners).toBe(0);
});

/** What a query thread passes: no AbortSignal of the platform, but with its shape. */
class OwnSignal extends EventTarget implements AbortSignal {
  readonly aborted = false;
  readonly reason = undefined;
  onabort = null;
  listeners = 0;

  throwIfAborted(): void {}

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    this.listeners++;
    super.addEventListener(...args);
  }

  override removeEventListener(...args: Parameters<EventTarget['removeEventListener']>): void {
    this.listeners--;
    super.removeEventListener(...args);
  }
}

test('everything in the blocks comes back, each series once, in order', async () => {
  const all = request([new Matcher('=~', '__name__', '.+')]);
  expect(await select(querier(), all)).toEqual(TRUTH);
});

test('any matchers over any range give what plain filtering of the source gives', async () => {
  const from = querier();
  const names = ['__name__', 'instance', 'zone', 'odd', 'text', 'nothing'];
  const values = [
    '',
    'up',
    'jobs_total',
    'wide',
    'host-1',
    'host-19',
    'z0',
    'z2',
    'yes',
    'nobody',
    'é'.repeat(400),
  ];
  const regexes = ['.*', '.+', 'host-1.*', 'z[01]', 'up|wide', '', 'yes|', 'no', '(up|jobs_total)?'];
  const plain = fc.tuple(
    fc.constantFrom<MatchType>('=', '!='),
    fc.constantFrom(...names),
    fc.constantFrom(...values),
  );
  const regex = fc.tuple(
    fc.constantFrom<MatchType>('=~', '!~'),
    fc.constantFrom(...names),
    fc.constantFrom(...regexes),
  );
  const times = fc.tuple(fc.integer({ min: -5, max: 245 }), fc.nat(240));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(plain, regex), { minLength: 1, maxLength: 3 }),
      times,
      async (specs, [at, length]) => {
        const matchers = specs.map(([type, name, value]) => new Matcher(type, name, value));
        const mint = T0 + at * MINUTE_MS;
        const wanted = request(matchers, { mint, maxt: mint + length * MINUTE_MS });
        const found = (await select(from, wanted)).filter(({ samples }) => samples.length > 0);
        expect(found).toEqual(expected(wanted));
      },
    ),
    { numRuns: 150 },
  );
});

test('label names and values come from all blocks, with and without matchers', async () => {
  const from = querier();
  expect(await from.labelNames(CALM, labelRequest([]))).toEqual([
    '__name__',
    'instance',
    'odd',
    'text',
    'zone',
  ]);
  expect(await from.labelValues(CALM, 'zone', labelRequest([]))).toEqual(['z0', 'z1', 'z2']);
  expect(await from.labelValues(CALM, 'absent', labelRequest([]))).toEqual([]);
  const wide = [new Matcher('=', '__name__', 'wide')];
  expect(await from.labelNames(CALM, labelRequest(wide))).toEqual(['__name__', 'text']);
  expect(await from.labelValues(CALM, 'zone', labelRequest(wide))).toEqual([]);
  const hosts = Array.from({ length: 20 }, (_, s) => `host-${s}`).sort(compareStrings);
  const jobs = [new Matcher('=', '__name__', 'jobs_total')];
  expect(await from.labelValues(CALM, 'instance', labelRequest(jobs))).toEqual(hosts);
  expect(await from.labelValues(CALM, 'instance', labelRequest(jobs, { limit: 3 }))).toEqual(
    hosts.slice(0, 3),
  );
  const early = labelRequest(jobs, { maxt: T0 + 100 * MINUTE_MS });
  expect(await from.labelValues(CALM, 'instance', early)).toEqual(hosts.filter((host) => host !== 'host-18'));
  expect(await from.exemplars(CALM, [jobs], T0, END)).toEqual([]);
});

test('only labels come when only labels are asked for, and no more than asked for', async () => {
  const from = querier();
  const up = [new Matcher('=', '__name__', 'up')];
  const batches = await collect(from.select(CALM, request(up, { hints: { labelsOnly: true } })));
  expect(batches.reduce((count, { seriesCount }) => count + seriesCount, 0)).toBe(20);
  expect(batches.every(({ chunkData, chunkMint }) => chunkData.length === 0 && chunkMint.length === 0)).toBe(
    true,
  );
  const few = await collect(from.select(CALM, request(up, { hints: { limit: 4 } })));
  expect(few.reduce((count, { seriesCount }) => count + seriesCount, 0)).toBe(4);
});

test('blocks that are served locally are not read again', async () => {
  const [first, second] = blocks.map(({ meta }) => meta.ulid);
  const up = request([new Matcher('=', '__name__', 'up')]);
  const late = await select(querier(open(), new Set([first])), up);
  expect(late).toEqual(expected({ ...up, mint: T0 + 120 * MINUTE_MS }));
  expect(await select(querier(open(), new Set([first, second])), up)).toEqual([]);
});

test('the index-header is fetched once, and found on the disk by the next process', async () => {
  const ranges: string[] = [];
  const getRange = bucket.getRange.bind(bucket);
  bucket.getRange = (ctx, key, offset, length) => {
    ranges.push(`${key}@${offset}`);
    return getRange(ctx, key, offset, length);
  };
  const up = request([new Matcher('=', '__name__', 'up')]);
  const first = await select(querier(), up);
  // These indexes are so small that their end is all of them.
  const whole = (text: string) => text.endsWith('/index@0');
  expect(ranges.filter(whole)).toHaveLength(2);
  ranges.length = 0;
  expect(await select(querier(open()), up)).toEqual(first);
  expect(ranges.filter(whole)).toHaveLength(0);
  for (const ulid of ULIDS) writeFileSync(join(dir, 'acme', ulid, 'index-header'), 'damaged');
  expect(await select(querier(open()), up)).toEqual(first);
  expect(ranges.filter(whole)).toHaveLength(2);
});

test('places that are damaged are found again, and a damaged page of a header fails one query and no more', async () => {
  const up = request([new Matcher('=', '__name__', 'up')]);
  const first = await select(querier(), up);
  const path = (ulid: string, name: string) => join(dir, 'acme', ulid, name);
  for (const ulid of ULIDS) writeFileSync(path(ulid, 'index-header.places'), 'damaged');
  expect(await select(querier(open()), up)).toEqual(first);
  const bytes = readFileSync(path(ULIDS[0], 'index-header'));
  bytes[bytes.length - 30] ^= 1;
  writeFileSync(path(ULIDS[0], 'index-header'), bytes);
  const gateway = open();
  await expect(select(querier(gateway), up)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining('made again'),
  });
  await vi.waitFor(() => expect(existsSync(path(ULIDS[0], 'index-header'))).toBe(false));
  expect(await select(querier(gateway), up)).toEqual(first);
});

test('a header that nobody asks for is closed, one that is in use is not', async () => {
  const gateway = open({ headerIdleMs: 40 });
  const one = gateway.querier({ blocks: blocks.slice(0, 1), localUlids: new Set() }, T0 - 1, END);
  const walk = one.select(CALM, request([new Matcher('=', '__name__', 'up')]))[Symbol.asyncIterator]();
  await walk.next();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(gateway.openHeaders).toBeGreaterThan(0);
  while (!(await walk.next()).done);
  await vi.waitFor(() => expect(gateway.openHeaders).toBe(0));
});

test('headers of blocks that are gone are removed', async () => {
  const gateway = open();
  await select(querier(gateway), request([new Matcher('=', '__name__', 'up')]));
  expect(readdirSync(join(dir, 'acme')).sort()).toEqual([...ULIDS].sort());
  await retainHeaders(disk, dir, 'acme', new Set([blocks[1].meta.ulid]));
  expect(readdirSync(join(dir, 'acme'))).toEqual([blocks[1].meta.ulid]);
});

test.each([
  [{ seriesMax: 10, chunksMax: 0, bytesMax: 0 }, 'more than 10 series'],
  [{ seriesMax: 0, chunksMax: 10, bytesMax: 0 }, 'more than 10 chunks'],
  [{ seriesMax: 0, chunksMax: 0, bytesMax: 1000 }, 'more than 1000 bytes'],
])('a query beyond %j is refused: %s', async (limits, message) => {
  const from = querier(open({ limits }));
  const attempt = select(from, request([new Matcher('=', '__name__', 'up')]));
  await expect(attempt).rejects.toMatchObject({ code: 'limit', message: expect.stringContaining(message) });
});

test('limits of a tenant hold instead, and are named', async () => {
  const view = { blocks, localUlids: new Set<string>(), limits: { seriesMax: 0, chunksMax: 3, bytesMax: 0 } };
  const attempt = select(open().querier(view, T0, END), request([new Matcher('=', '__name__', 'up')]));
  await expect(attempt).rejects.toMatchObject({
    code: 'limit',
    message: expect.stringContaining('limits.max_fetched_chunks_per_query'),
  });
});

test('nothing outside of the window is shown', async () => {
  const window = { mint: T0 + 100 * MINUTE_MS, maxt: T0 + 130 * MINUTE_MS };
  const up = request([new Matcher('=', '__name__', 'up')]);
  const inside = (change: Partial<typeof window>) =>
    select(open().querier({ blocks, localUlids: new Set(), window: { ...window, ...change } }, T0, END), up);
  expect(await inside({})).toEqual(expected({ ...up, ...window }));
  expect(await inside({ maxt: T0 - 1 })).toEqual([]);
});

test('a gateway can be made in another thread: what it needs can be sent there', async () => {
  const options = structuredClone({ cacheDir: dir });
  const view = structuredClone({ blocks, localUlids: new Set<string>() });
  const up = request([new Matcher('=', '__name__', 'up')]);
  const source = await open(options)
    .queryable(() => view)
    .querier(T0, END);
  expect(await select(source, up)).toEqual(expected(up));
});

test('a bucket that fails fails the query, and the next one works', async () => {
  const gateway = open();
  const up = request([new Matcher('=', '__name__', 'up')]);
  bucket.faults = { ...NO_FAULTS, errors: 1 };
  await expect(select(querier(gateway), up)).rejects.toMatchObject({ code: 'unavailable' });
  bucket.faults = NO_FAULTS;
  expect(await select(querier(gateway), up)).toEqual(expected(up));
});

test('a cancelled query ends with that', async () => {
  const controller = new AbortController();
  bucket.faults = { ...NO_FAULTS, delays: 1, delayMsMax: 60_000 };
  const walk = collect(querier().select(controller, request([new Matcher('=', '__name__', 'up')])));
  setTimeout(() => controller.abort(), 20);
  await expect(walk).rejects.toMatchObject({ code: 'canceled' });
});

test('a query cancelled at whatever moment leaves no failure behind that nobody waits for', async () => {
  const orphans: unknown[] = [];
  const note = (reason: unknown) => orphans.push(reason);
  process.on('unhandledRejection', note);
  try {
    const gateway = open();
    const up = request([new Matcher('=', '__name__', 'up')]);
    // Which series there are is known from now on; they themselves do not come.
    await select(querier(gateway), up);
    bucket.faults = { ...NO_FAULTS, delays: 1, delayMsMax: 60_000 };
    for (let turns = 0; turns < 150; turns++) {
      const controller = new AbortController();
      const walk = collect(querier(gateway).select(controller, up));
      walk.catch(() => {});
      for (let i = 0; i < turns; i++) await undefined;
      controller.abort();
      await expect(walk).rejects.toMatchObject({ code: 'canceled' });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(orphans).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
});

test('damaged objects give an error that names the object, or the right answer, and never anything else', async () => {
  const all = request([new Matcher('=~', '__name__', '.+')]);
  const random = new SeededRandom(7);
  const ulid = blocks[0].meta.ulid;
  let refused = 0;
  for (let round = 0; round < 150; round++) {
    const file = round % 2 ? 'index' : 'chunks/000001';
    const good = readFileSync(join(TESTDATA, ulid, file));
    const bad = new Uint8Array(good);
    for (let i = 0; i < 3; i++)
      bad[Math.floor(random.next() * bad.length)] ^= 1 << Math.floor(random.next() * 8);
    await inner.upload(
      CALM,
      `acme/${ulid}/${file}`,
      round % 5 === 0 ? bad.slice(0, Math.floor(random.next() * bad.length)) : bad,
    );
    rmSync(join(dir, 'acme'), { recursive: true, force: true });
    const outcome = await select(querier(open()), all).catch((error: Error) => error);
    if (outcome instanceof Error) {
      refused++;
      expect(outcome).toMatchObject({ name: 'VeronaError', code: 'corrupt' });
      expect(outcome.message).toContain(ulid);
    } else expect(outcome).toEqual(TRUTH);
    await inner.upload(CALM, `acme/${ulid}/${file}`, good);
  }
  expect(refused).toBeGreaterThan(75);
});

describe('what a deletion request names is left out', () => {
  const sets = (...matchers: readonly Matcher[]) => [
    matchers.map(({ name, type, value }) => ({ name, type, value })),
  ];
  const wish = (change: Partial<DeletionRequest> = {}): DeletionRequest => ({
    id: '7ZZZZZZZZZZZZZZZZZZZZZZZZZ',
    timeMs: Date.now(),
    mint: Number.MIN_SAFE_INTEGER,
    maxt: Number.MAX_SAFE_INTEGER,
    matcherSets: sets(new Matcher('=', 'zone', 'z1')),
    ...change,
  });
  const reading = (deletions: readonly DeletionRequest[], of = blocks) =>
    open().querier({ blocks: of, localUlids: new Set(), deletions }, T0 - 1, END);
  const everything = request([new Matcher('=~', '__name__', '.+')]);

  test('by series and time, to the millisecond, for any matchers', async () => {
    const matcher = fc
      .tuple(
        fc.constantFrom('=', '!=', '=~', '!~'),
        fc.constantFrom('zone', 'odd', 'instance'),
        fc.constantFrom('z1', 'yes', 'host-1.', ''),
      )
      .map(([type, name, value]) => new Matcher(type as MatchType, name, value));
    const deletion = fc.record({
      matchers: fc.array(matcher, { minLength: 1, maxLength: 2 }),
      mint: fc.integer({ min: T0 - MINUTE_MS, max: END }),
      length: fc.nat(END - T0),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(deletion, { minLength: 1, maxLength: 3 }), async (deletions) => {
        const requests = deletions.map(({ matchers, mint, length }) =>
          wish({ mint, maxt: mint + length, matcherSets: sets(...matchers) }),
        );
        const isGone = (labels: Labels, t: number) =>
          deletions.some(
            ({ matchers, mint, length }) =>
              t >= mint && t <= mint + length && matchers.every((one) => one.matches(labels.get(one.name))),
          );
        const left = expected(everything)
          .map(({ labels, samples }) => ({ labels, samples: samples.filter(([t]) => !isGone(labels, t)) }))
          .filter(({ samples }) => samples.length > 0);
        const found = (await select(reading(requests), everything)).filter(
          ({ samples }) => samples.length > 0,
        );
        expect(found).toEqual(left);
      }),
      { numRuns: 30 },
    );
  });

  test('a series that is gone whole is in no list of series or labels that asks for it', async () => {
    const zone = [new Matcher('=', 'zone', 'z1')];
    const labelsOnly = request([new Matcher('=~', '__name__', '.+')], { hints: { labelsOnly: true } });
    const batches = await collect(reading([wish()]).select(CALM, labelsOnly));
    const names = batches
      .flatMap((batch) => decodeBatch(batch, labelsOnly))
      .map(({ labels }) => labels.get('zone'));
    expect(names).not.toContain('z1');
    expect(names).toContain('z2');
    expect(await reading([wish()]).labelNames(CALM, labelRequest(zone))).toEqual([]);
    expect(
      await reading([wish()]).labelValues(CALM, 'zone', labelRequest([new Matcher('=', '__name__', 'up')])),
    ).toEqual(['z0', 'z2']);
  });

  test('a name or value that only deleted series have is in no list at all, and one that is left in part is', async () => {
    const valuesOf = (deletion: DeletionRequest, name: string) =>
      reading([deletion]).labelValues(CALM, name, labelRequest([]));
    expect(await valuesOf(wish(), 'zone')).toEqual(['z0', 'z2']);
    expect(await valuesOf(wish({ mint: T0 + 30 * MINUTE_MS }), 'zone')).toEqual(['z0', 'z1', 'z2']);
    const names = await reading([]).labelNames(CALM, labelRequest([]));
    expect(names).toContain('odd');
    const odd = wish({ matcherSets: sets(new Matcher('!=', 'odd', '')) });
    expect(await reading([odd]).labelNames(CALM, labelRequest([]))).toEqual(
      names.filter((name) => name !== 'odd'),
    );
    expect(await valuesOf(odd, 'odd')).toEqual([]);
    const both = wish({ matcherSets: sets(new Matcher('=', 'zone', 'z1'), new Matcher('=', 'odd', 'yes')) });
    expect(await valuesOf(both, 'zone')).toEqual(['z0', 'z1', 'z2']);
  });

  test('but not out of a block that was cut later, or that it was applied to', async () => {
    const all = (await select(reading([]), everything)).length;
    expect((await select(reading([wish({ timeMs: 0 })]), everything)).length).toBe(all);
    const applied = blocks.map((block) => ({
      ...block,
      meta: { ...block.meta, appliedDeletions: [wish().id] },
    }));
    expect((await select(reading([wish()], applied), everything)).length).toBe(all);
    expect((await select(reading([wish()]), everything)).length).toBeLessThan(all);
  });
});

describe("external labels of blocks in Thanos' layout", () => {
  const added = { cluster: 'east', zone: 'overridden' };
  const labelled = () => blocks.map((block) => ({ ...block, seriesLabels: added }));
  const reading = (deletions: readonly DeletionRequest[] = []) =>
    open().querier({ blocks: labelled(), localUlids: new Set(), deletions }, T0 - 1, END);

  /** The truth with the labels, samples of series that became one joined. */
  function truth(matchers: readonly Matcher[]): Series[] {
    const byKey = new Map<string, Series>();
    for (const { labels, samples } of TRUTH) {
      const named = labels.with(added);
      if (!matchers.every((matcher) => matcher.matches(named.get(matcher.name)))) continue;
      const known = byKey.get(named.key());
      const all = new Map([...(known?.samples ?? []), ...samples]);
      byKey.set(named.key(), { labels: named, samples: [...all].sort(([a], [b]) => a - b) });
    }
    return [...byKey.values()].sort((a, b) => compareLabels(a.labels, b.labels));
  }

  test.each([
    [[new Matcher('=~', '__name__', '.+')]],
    [[new Matcher('=', 'cluster', 'east'), new Matcher('=', '__name__', 'up')]],
    [[new Matcher('=', 'cluster', 'east')]],
    [[new Matcher('=', 'cluster', 'west')]],
    [[new Matcher('!=', 'cluster', '')]],
    [[new Matcher('=', 'zone', 'z1')]],
    [[new Matcher('=', 'zone', 'overridden'), new Matcher('=', 'odd', 'yes')]],
  ])('are labels of its series, in order: %s', async (matchers) => {
    expect(await select(reading(), request(matchers))).toEqual(truth(matchers));
    const names = new Set(truth(matchers).flatMap(({ labels }) => [...labels].map(([name]) => name)));
    const asked = labelRequest(matchers);
    expect(await reading().labelNames(CALM, asked)).toEqual([...names].sort(compareStrings));
    const clusters = names.size > 0 ? ['east'] : [];
    expect(await reading().labelValues(CALM, 'cluster', asked)).toEqual(clusters);
  });

  test('are in lists of all labels', async () => {
    expect(await reading().labelNames(CALM, labelRequest([]))).toContain('cluster');
    expect(await reading().labelValues(CALM, 'cluster', labelRequest([]))).toEqual(['east']);
  });

  test('are what deletions ask for', async () => {
    const deletion = (value: string): DeletionRequest => ({
      id: '7ZZZZZZZZZZZZZZZZZZZZZZZZZ',
      timeMs: Date.now(),
      mint: 0,
      maxt: Number.MAX_SAFE_INTEGER,
      matcherSets: [[{ name: 'cluster', type: '=', value }]],
    });
    const all = request([new Matcher('=~', '__name__', '.+')]);
    expect(await select(reading([deletion('west')]), all)).toEqual(truth(all.matchers));
    expect(await select(reading([deletion('east')]), all)).toEqual([]);
  });
});
