import { beforeEach, expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { SystemClock } from '../platform/clock.ts';
import { Metrics } from '../platform/metrics.ts';
import { acceptBucket, CALM } from './acceptance.ts';
import { HedgedBucket } from './hedged-bucket.ts';
import { MemoryBucket } from './memory-bucket.ts';
import { StoreCounts } from './store-counts.ts';

const clock = new SystemClock();
let store: MemoryBucket;
let asked: number;
let cancelled: number;
/** How long each answer takes, ms, by number of the question. */
let delayOf: (question: number) => number;

beforeEach(async () => {
  store = new MemoryBucket(clock);
  await store.upload(CALM, 'a', Buffer.from('0123456789'));
  asked = 0;
  cancelled = 0;
  delayOf = () => 0;
  const getRange = store.getRange.bind(store);
  store.getRange = async (ctx, key, offset, length) => {
    const delay = delayOf(asked++);
    ctx.signal.addEventListener('abort', () => cancelled++);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    return getRange(ctx, key, offset, length);
  };
});

const rules = { quantile: 0.9, shareMax: 0.1 };
async function warm(bucket: HedgedBucket): Promise<void> {
  for (let i = 0; i < 64; i++) await bucket.getRange(CALM, 'a', 0, 1);
  asked = 0;
  cancelled = 0;
}

acceptBucket('HedgedBucket', async () => new HedgedBucket(new MemoryBucket(clock), { clock }));

test('a read that is late is asked again, the first answer counts, and the late question is cancelled', async () => {
  const metrics = new Metrics();
  const bucket = new HedgedBucket(store, { clock, counts: StoreCounts.shownIn(metrics) }, rules);
  await warm(bucket);
  delayOf = (question) => (question === 0 ? 5_000 : 0);
  const begin = performance.now();
  expect(Buffer.from(await bucket.getRange(CALM, 'a', 2, 3)).toString()).toBe('234');
  expect(performance.now() - begin).toBeLessThan(2_000);
  expect([asked, cancelled]).toEqual([2, 1]);
  expect(await metrics.registry.metrics()).toContain('hedged_reads_total{answered="second"} 1');
});

test('second questions have a share', async () => {
  const bucket = new HedgedBucket(store, { clock }, { ...rules, shareMax: 0.05 });
  await warm(bucket);
  delayOf = () => 40;
  await Promise.all(Array.from({ length: 40 }, () => bucket.getRange(CALM, 'a', 0, 1)));
  expect(asked).toBeGreaterThan(40);
  expect(asked).toBeLessThanOrEqual(46);
});

test('an error is told once all questions have failed, and cancelling ends them', async () => {
  const bucket = new HedgedBucket(store, { clock }, rules);
  await warm(bucket);
  await expect(bucket.getRange(CALM, 'absent', 0, 1)).rejects.toMatchObject({ code: 'not_found' });
  const controller = new AbortController();
  delayOf = () => 30;
  const read = bucket.getRange(controller, 'a', 0, 1);
  controller.abort();
  await expect(read).rejects.toMatchObject({ code: 'canceled' });
});

test('a question that fails is no answer while the other may come, and cancelling ends both', async () => {
  const bucket = new HedgedBucket(store, { clock }, rules);
  await warm(bucket);
  const getRange = store.getRange.bind(store);
  let fails = true;
  store.getRange = async (...args) => {
    const isFirst = asked === 0;
    const data = await getRange(...args);
    if (isFirst && fails) throw new VeronaError('unavailable', 'the first one failed');
    return data;
  };
  delayOf = (question) => (question === 0 ? 40 : 60);
  expect(Buffer.from(await bucket.getRange(CALM, 'a', 2, 3)).toString()).toBe('234');
  expect(asked).toBe(2);

  fails = false;
  asked = 0;
  cancelled = 0;
  delayOf = () => 200;
  const controller = new AbortController();
  const read = bucket.getRange(controller, 'a', 0, 1);
  await expect.poll(() => asked, { interval: 5 }).toBe(2);
  controller.abort();
  expect(cancelled).toBe(2);
  await expect(read).rejects.toMatchObject({ code: 'canceled' });
});
