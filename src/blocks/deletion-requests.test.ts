import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { Matcher } from '../model/matcher.ts';
import { CALM } from '../objstore/acceptance.ts';
import { FailingBucket, NO_FAULTS } from '../objstore/failing-bucket.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import type { Clock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { newUlid } from '../tsdb/block/ulid.ts';
import type { BucketBlock } from './block-catalog.ts';
import { encodeDeletionRequest, needsDeletion, parseDeletionRequest } from './deletion-request.ts';
import { DeletionRequests, idleDeletions } from './deletion-requests.ts';
import { blockRef } from './layout.ts';

let nowMs: number;
const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} };
let store: MemoryBucket;
let bucket: FailingBucket;
const wish = {
  matcherSets: [[new Matcher('=', '__name__', 'up')], [new Matcher('=~', 'a', 'b|c')]],
  mint: 5,
  maxt: 10,
};

beforeEach(() => {
  nowMs = 1_700_000_000_000;
  store = new MemoryBucket(clock);
  bucket = new FailingBucket(store, new SeededRandom(1), clock);
});

let seed = 1;
const open = () =>
  new DeletionRequests({
    bucket,
    clock,
    random: new SeededRandom(seed++),
    log: silentLogger,
    metrics: new Metrics(),
  });

function block(
  madeMs: number,
  mint: number,
  maxt: number,
  appliedDeletions: readonly string[] = [],
): BucketBlock {
  const ulid = newUlid({ ...clock, now: () => madeMs }, new SeededRandom(1));
  const meta = {
    ulid,
    mint,
    maxt,
    level: 1,
    sources: [ulid],
    seriesCount: 1,
    chunkCount: 1,
    labels: {},
    resolutionMs: 0,
    files: [],
    appliedDeletions,
  };
  return { ref: blockRef('acme', ulid), meta, sizes: new Map(), uploadedMs: madeMs, marks: {} };
}

test('a request holds in this process at once and in others when they look, and survives restarts', async () => {
  const [one, other] = [open(), open()];
  const request = await one.add(CALM, 'acme', wish);
  expect(one.of('acme')).toEqual([request]);
  expect(other.of('acme')).toEqual([]);
  expect(await other.refresh(CALM, 'acme')).toEqual([request]);
  expect(await other.refresh(CALM, 'beta')).toEqual([]);
  expect(request).toMatchObject({
    timeMs: nowMs,
    mint: 5,
    maxt: 10,
    matcherSets: [[{ name: '__name__', type: '=', value: 'up' }], [{ value: 'b|c' }]],
  });
});

test('a request that could not be stored does not hold', async () => {
  const requests = open();
  bucket.faults = { ...NO_FAULTS, errors: 1 };
  await expect(requests.add(CALM, 'acme', wish)).rejects.toMatchObject({ code: 'unavailable' });
  expect(requests.of('acme')).toEqual([]);
});

test('when a head followed late, others learn it', async () => {
  const [one, other] = [open(), open()];
  const request = await one.add(CALM, 'acme', wish);
  await other.refresh(CALM, 'acme');
  nowMs += 500;
  await one.settle(CALM, 'acme', request);
  expect(one.of('acme')).toMatchObject([{ timeMs: nowMs }]);
  expect(await other.refresh(CALM, 'acme')).toMatchObject([{ timeMs: nowMs }]);
});

test('a listing that lags behind makes nobody forget, a removal does', async () => {
  const requests = open();
  const request = await requests.add(CALM, 'acme', wish);
  bucket.faults = { ...NO_FAULTS, staleLists: 1 };
  for (let i = 0; i < 5; i++) expect(await requests.refresh(CALM, 'acme')).toHaveLength(1);
  const other = open();
  bucket.faults = NO_FAULTS;
  await other.refresh(CALM, 'acme');
  await requests.remove(CALM, 'acme', request.id);
  expect(requests.of('acme')).toEqual([]);
  expect(await other.refresh(CALM, 'acme')).toEqual([]);
});

test('a settled request is read once, however often somebody looks', async () => {
  const requests = open();
  await requests.add(CALM, 'acme', wish);
  nowMs += 3_600_000;
  await requests.refresh(CALM, 'acme');
  store.get = () => Promise.reject(new Error('read again'));
  expect(await requests.refresh(CALM, 'acme')).toHaveLength(1);
});

test('what was known of a request holds when it cannot be read any more', async () => {
  const requests = open();
  const request = await requests.add(CALM, 'acme', wish);
  await store.upload(CALM, `acme/deletions/${request.id}.json`, Buffer.from('{"id":'));
  expect(await requests.refresh(CALM, 'acme')).toHaveLength(1);
  expect(await open().refresh(CALM, 'acme')).toEqual([]);
});

test('too many requests, and too large ones, are refused', async () => {
  const requests = open();
  for (let i = 0; i < 1000; i++) await requests.add(CALM, 'acme', wish);
  await expect(requests.add(CALM, 'acme', wish)).rejects.toMatchObject({ code: 'limit' });
  const large = { ...wish, matcherSets: [[new Matcher('=', 'a', 'x'.repeat(2 << 20))]] };
  await expect(requests.add(CALM, 'beta', large)).rejects.toMatchObject({ code: 'too_large' });
});

test('a block needs a request when it is older, overlaps, and was not rewritten for it', async () => {
  const request = await open().add(CALM, 'acme', wish);
  expect(needsDeletion(block(nowMs, 0, 6).meta, request)).toBe(true);
  expect(needsDeletion(block(nowMs, 10, 11).meta, request)).toBe(true);
  expect(needsDeletion(block(nowMs, 11, 20).meta, request)).toBe(false);
  expect(needsDeletion(block(nowMs, 0, 5).meta, request)).toBe(false);
  expect(needsDeletion(block(nowMs + 1, 0, 6).meta, request)).toBe(false);
  expect(needsDeletion(block(nowMs, 0, 6, [request.id]).meta, request)).toBe(false);
  const [old, young] = [block(nowMs, 0, 6).meta, block(nowMs + 1, 0, 6).meta];
  expect(needsDeletion({ ...young, sources: [young.ulid, old.ulid] }, request)).toBe(true);
});

test('a request is worked off when it is old and no block needs it', async () => {
  const request = await open().add(CALM, 'acme', wish);
  const idle = (blocks: readonly BucketBlock[], ageMs: number) =>
    idleDeletions([request], blocks, nowMs + ageMs, 1000).length;
  expect(idle([], 999)).toBe(0);
  expect(idle([], 1000)).toBe(1);
  expect(idle([block(nowMs, 0, 6)], 1000)).toBe(0);
  expect(idle([block(nowMs, 0, 6, [request.id])], 1000)).toBe(1);
});

test('finished requests still hold for every process, but do not count as waiting', async () => {
  const requests = open();
  const first = await requests.add(CALM, 'acme', wish);
  await requests.finish(CALM, 'acme', first.id);
  const other = open();
  expect(await other.refresh(CALM, 'acme')).toEqual([first]);
  expect(other.finished('acme')).toEqual([first]);
  for (let i = 0; i < 1000; i++) await other.add(CALM, 'acme', wish);
  await expect(other.add(CALM, 'acme', wish)).rejects.toMatchObject({ code: 'limit' });
  await other.remove(CALM, 'acme', first.id);
  expect(other.finished('acme')).toEqual([]);
  expect(await store.exists(CALM, `acme/deletions/${first.id}.finished`)).toBe(false);
});

test('mutated requests decode or are corrupt', async () => {
  const request = await open().add(CALM, 'acme', wish);
  const bytes = encodeDeletionRequest(request);
  expect(parseDeletionRequest(bytes, 'd', request.id)).toEqual(request);
  const decodes = (data: Uint8Array) => {
    try {
      parseDeletionRequest(data, 'd', request.id);
    } catch (error) {
      expect(error).toMatchObject({ code: 'corrupt' });
    }
  };
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
      const mutated = bytes.slice();
      mutated[at] = byte;
      decodes(mutated);
    }),
    { numRuns: 500 },
  );
  const fields = JSON.parse(Buffer.from(bytes).toString());
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(fields)), fc.jsonValue(), (field, value) =>
      decodes(Buffer.from(JSON.stringify({ ...fields, [field]: value }))),
    ),
  );
});
