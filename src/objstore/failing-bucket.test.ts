import { expect, test } from 'vitest';
import { SystemClock } from '../platform/clock.ts';
import { SeededRandom } from '../platform/random.ts';
import { CALM, collect } from './acceptance.ts';
import { FailingBucket, NO_FAULTS } from './failing-bucket.ts';
import { MemoryBucket } from './memory-bucket.ts';

const clock = new SystemClock();
const data = new Uint8Array(1000).fill(7);

function open(faults: Partial<typeof NO_FAULTS>, seed = 1) {
  const inner = new MemoryBucket(clock);
  return {
    inner,
    bucket: new FailingBucket(inner, new SeededRandom(seed), clock, { ...NO_FAULTS, ...faults }),
  };
}

test('a refused write wrote nothing', async () => {
  const { inner, bucket } = open({ errors: 1 });
  await expect(bucket.upload(CALM, 'a', data)).rejects.toMatchObject({ code: 'unavailable' });
  expect(await inner.exists(CALM, 'a')).toBe(false);
});

test('a write whose answer is lost was done', async () => {
  const { inner, bucket } = open({ lostAnswers: 1 });
  await expect(bucket.create(CALM, 'a', data)).rejects.toMatchObject({ code: 'unavailable' });
  expect(await inner.get(CALM, 'a')).toEqual(data);
});

test('a half write leaves the beginning behind', async () => {
  const { inner, bucket } = open({ halfWrites: 1 });
  await expect(bucket.upload(CALM, 'a', data)).rejects.toMatchObject({ code: 'unavailable' });
  expect((await inner.get(CALM, 'a')).length).toBeLessThan(data.length);
});

test('a stale listing leaves entries out, in their order', async () => {
  const { inner, bucket } = open({ staleLists: 1 });
  for (let i = 0; i < 40; i++) await inner.upload(CALM, `k${10 + i}`, data);
  const seen = (await collect(bucket.list(CALM, ''))).map(({ key }) => key);
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.length).toBeLessThan(40);
  expect(seen).toEqual([...seen].sort());
});

test('a delay ends when the caller gives up', async () => {
  const { bucket } = open({ delays: 1, delayMsMax: 3_600_000 });
  const controller = new AbortController();
  const call = bucket.get({ signal: controller.signal }, 'a');
  controller.abort();
  await expect(call).rejects.toMatchObject({ code: 'canceled' });
});

test('the same seed gives the same faults', async () => {
  const run = async (seed: number) => {
    const { bucket } = open({ errors: 0.3, lostAnswers: 0.3 }, seed);
    const outcomes: string[] = [];
    for (let i = 0; i < 30; i++)
      outcomes.push(
        await bucket.upload(CALM, 'a', data).then(
          () => 'ok',
          (error: Error) => error.message,
        ),
      );
    return outcomes;
  };
  expect(await run(5)).toEqual(await run(5));
  expect(await run(5)).not.toEqual(await run(6));
});
