import { expect, test } from 'vitest';
import { type Clock, SystemClock } from '../platform/clock.ts';
import { CancelFlags, cancelQuery } from './cancel-flags.ts';
import { SharedSignal } from './shared-signal.ts';

const reasons = { canceled: () => new Error('canceled'), timeout: () => new Error('timeout') };

test('a raised flag is seen without any message', () => {
  const flag = new CancelFlags(1).take();
  const signal = new SharedSignal(flag, new SystemClock(), Number.POSITIVE_INFINITY, reasons);
  expect(signal.aborted).toBe(false);
  cancelQuery(flag);
  expect(signal.aborted).toBe(true);
  expect(() => signal.throwIfAborted()).toThrow('canceled');
});

test('a passed deadline is seen without a timer, and listeners are told once', () => {
  const clock = new SystemClock();
  const signal = new SharedSignal(new CancelFlags(1).take(), clock, clock.monotonic() - 1, reasons);
  expect(signal.reason?.message).toBe('timeout');
  expect(signal.reason).toBe(signal.reason);
  let told = 0;
  signal.addEventListener('abort', () => told++);
  signal.notify();
  signal.notify();
  expect(told).toBe(1);
});

test('reads of many blocks may listen without a warning of a leak', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const signal = new SharedSignal(new CancelFlags(1).take(), new SystemClock(), 1e15, reasons);
  for (let i = 0; i < 50; i++) signal.addEventListener('abort', () => i);
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.removeListener('warning', note);
  expect(warnings).toEqual([]);
});

test('those who wait hear of the deadline, also when a timer comes before it', () => {
  let now = 0;
  let due: (() => void) | undefined;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    after: (_delayMs, task) => {
      due = task;
      return () => {
        due = undefined;
      };
    },
  };
  const fire = () => {
    const task = due;
    due = undefined;
    task?.();
  };
  const signal = new SharedSignal(new CancelFlags(1).take(), clock, 100, reasons);
  let told = 0;
  signal.addEventListener('abort', () => told++);
  const stop = signal.notifyAtDeadline();
  now = 99;
  fire();
  expect(told).toBe(0);
  now = 101;
  fire();
  expect([told, due]).toEqual([1, undefined]);
  stop();
});
