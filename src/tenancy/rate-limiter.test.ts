import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HandClock } from '../platform/testdata/hand-clock.ts';
import { RateLimiter, TokenBucket } from './rate-limiter.ts';

test('a full bucket admits writes until its burst is spent, and again after the time it says', () => {
  const clock = new HandClock();
  const bucket = new TokenBucket(clock);
  expect(bucket.waitMs(100, 200)).toBe(0);
  bucket.take(150);
  expect(bucket.waitMs(100, 200)).toBe(0);
  bucket.take(150);
  const wait = bucket.waitMs(100, 200);
  expect(wait).toBe(1010);
  clock.time += wait - 20;
  expect(bucket.waitMs(100, 200)).toBeGreaterThan(0);
  clock.time += 20;
  expect(bucket.waitMs(100, 200)).toBe(0);
});

test('a bucket never holds more than its burst', () => {
  const clock = new HandClock();
  const bucket = new TokenBucket(clock);
  clock.time = 1e9;
  expect(bucket.waitMs(10, 20)).toBe(0);
  bucket.take(21);
  expect(bucket.waitMs(10, 20)).toBeGreaterThan(0);
});

test('over any time the rate is kept, but for the burst and one write', () => {
  const step = fc.record({ pauseMs: fc.nat(2000), size: fc.integer({ min: 1, max: 500 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const clock = new HandClock();
      const limiter = new RateLimiter(clock);
      let admitted = 0;
      for (const { pauseMs, size } of steps) {
        clock.time += pauseMs;
        if (limiter.waitMs('t', 100, 300) > 0) continue;
        limiter.take('t', size);
        admitted += size;
      }
      expect(admitted).toBeLessThanOrEqual(300 + 500 + clock.time / 10);
    }),
  );
});

test('tenants do not pay for each other, and a rate of 0 is no limit', () => {
  const limiter = new RateLimiter(new HandClock());
  expect(limiter.waitMs('a', 1, 1)).toBe(0);
  limiter.take('a', 1000);
  expect(limiter.waitMs('a', 1, 1)).toBe(1_000_000);
  expect(limiter.waitMs('b', 1, 1)).toBe(0);
  expect(limiter.waitMs('a', 0, 0)).toBe(0);
});

test('an override that raises the burst helps at once', () => {
  const limiter = new RateLimiter(new HandClock());
  limiter.waitMs('a', 10, 0);
  limiter.take('a', 30);
  expect(limiter.waitMs('a', 10, 0)).toBeGreaterThan(0);
  expect(limiter.waitMs('a', 10, 100)).toBe(0);
});
