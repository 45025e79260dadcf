import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { SystemClock } from '../platform/clock.ts';
import { SeededRandom } from '../platform/random.ts';
import { CALM } from './acceptance.ts';
import { RetryPolicy } from './retry.ts';
import { StoreAnswer, StoreCalls } from './store-calls.ts';

const clock = new SystemClock();
const callsOf = (retriesMax: number, options = {}) =>
  new StoreCalls(
    { concurrencyMax: 1, timeoutMs: 60_000, ...options },
    clock,
    new RetryPolicy(new SeededRandom(1), retriesMax),
  );

/** Fails with one error after the other, then answers. */
function failing(...errors: readonly unknown[]) {
  const attempts: AbortSignal[] = [];
  const attempt = async (signal: AbortSignal) => {
    attempts.push(signal);
    if (attempts.length <= errors.length) throw errors[attempts.length - 1];
    return 'answer';
  };
  return { attempts, attempt };
}

test('what may pass is tried again, what cannot heal is not', async () => {
  const passing = [
    new StoreAnswer(503, 'later'),
    new StoreAnswer(429, 'later'),
    Object.assign(new Error('x'), { code: 'ECONNRESET' }),
  ];
  const { attempts, attempt } = failing(...passing);
  expect(await callsOf(5).run(CALM, 'read a', attempt)).toBe('answer');
  expect(attempts).toHaveLength(4);
  for (const [error, code] of [
    [new StoreAnswer(400, 'no'), 'internal'],
    [new StoreAnswer(403, 'no'), 'internal'],
    [new StoreAnswer(404, 'no'), 'not_found'],
    [new StoreAnswer(412, 'no'), 'conflict'],
    [new StoreAnswer(501, 'no'), 'internal'],
    [new VeronaError('too_large', 'no'), 'too_large'],
    [new TypeError('a mistake of ours'), 'internal'],
  ] as const) {
    const refused = failing(error);
    await expect(callsOf(5).run(CALM, 'read a', refused.attempt)).rejects.toMatchObject({ code });
    expect(refused.attempts).toHaveLength(1);
  }
});

test('cancelling while it waits for the next try ends the call at once and gives its place to the next', async () => {
  const calls = callsOf(20);
  const controller = new AbortController();
  const { attempts, attempt } = failing(...Array.from({ length: 30 }, () => new StoreAnswer(503, 'later')));
  const call = calls.run(controller, 'read a', attempt);
  const next = calls.run(CALM, 'read b', async () => 'b');
  // Its third wait is of 200 ms and more.
  await expect.poll(() => attempts.length, { interval: 5 }).toBe(3);
  const begin = performance.now();
  controller.abort();
  await expect(call).rejects.toMatchObject({ code: 'canceled' });
  expect(await next).toBe('b');
  expect(performance.now() - begin).toBeLessThan(150);
  expect(attempts).toHaveLength(3);
});

test('a try that does not end is given up after its time, and the next one has its own', async () => {
  const signals: AbortSignal[] = [];
  const attempt = (signal: AbortSignal) => {
    signals.push(signal);
    if (signals.length === 2) return Promise.resolve('answer');
    return new Promise<string>((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('ended'))),
    );
  };
  expect(await callsOf(1, { timeoutMs: 20 }).run(CALM, 'read a', attempt)).toBe('answer');
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  signals.length = 0;
  const once = callsOf(0, { timeoutMs: 20 }).run(CALM, 'read a', attempt);
  await expect(once).rejects.toMatchObject({ code: 'timeout', message: 'read a: no answer within 20 ms' });
});

test('tries are bounded in number and delay', () => {
  const policy = new RetryPolicy(new SeededRandom(1), 3);
  expect([1, 2, 3, 4].map((count) => policy.take(count))).toEqual([true, true, true, false]);
  for (let i = 1; i <= 3; i++) {
    expect(policy.delayMs(i)).toBeGreaterThanOrEqual(50 * 2 ** (i - 1));
    expect(policy.delayMs(i)).toBeLessThanOrEqual(100 * 2 ** (i - 1));
  }
  expect(policy.delayMs(40)).toBeLessThanOrEqual(10_000);
});

test('all requests together have a budget of tries, which answers fill again', () => {
  const policy = new RetryPolicy(new SeededRandom(1), 5);
  let taken = 0;
  while (policy.take(1)) taken++;
  expect(taken).toBe(100);
  for (let i = 0; i < 25; i++) policy.succeeded();
  expect([policy.take(1), policy.take(1), policy.take(1)]).toEqual([true, true, false]);
});

test('a store that is down is asked little more than once per call when the budget is spent', async () => {
  const calls = callsOf(5, { concurrencyMax: 100 });
  let asked = 0;
  const down = async () => {
    asked++;
    throw new StoreAnswer(503, 'down');
  };
  const quick = { signal: AbortSignal.timeout(5_000) };
  await Promise.allSettled(Array.from({ length: 100 }, () => calls.run(quick, 'read a', down)));
  expect(asked).toBe(200);
  await Promise.allSettled(Array.from({ length: 100 }, () => calls.run(quick, 'read a', down)));
  expect(asked).toBe(300);
});
