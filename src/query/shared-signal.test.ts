import { expect, test } from 'vitest';
import { SystemClock } from '../platform/clock.ts';
import { makeCancelFlag, raiseCancelFlag, SharedSignal } from './shared-signal.ts';

const reasons = { canceled: () => new Error('canceled'), timeout: () => new Error('timeout') };

test('a raised flag is seen without any message', () => {
  const flag = makeCancelFlag();
  const signal = new SharedSignal(flag, new SystemClock(), Number.POSITIVE_INFINITY, reasons);
  expect(signal.aborted).toBe(false);
  raiseCancelFlag(flag);
  expect(signal.aborted).toBe(true);
  expect(() => signal.throwIfAborted()).toThrow('canceled');
});

test('a passed deadline is seen without a timer, and listeners are told once', () => {
  const clock = new SystemClock();
  const signal = new SharedSignal(makeCancelFlag(), clock, clock.monotonic() - 1, reasons);
  expect(signal.reason?.message).toBe('timeout');
  expect(signal.reason).toBe(signal.reason);
  let told = 0;
  signal.addEventListener('abort', () => told++);
  signal.notify();
  signal.notify();
  expect(told).toBe(1);
});
