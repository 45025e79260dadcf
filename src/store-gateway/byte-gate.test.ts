import { expect, test } from 'vitest';
import { ByteGate } from './byte-gate.ts';

const CALM = new AbortController().signal;

/** Starts a task that lasts until its `end` is called. */
function started(gate: ByteGate, bytes: number, signal = CALM) {
  const task = { runs: false, end: () => {}, done: Promise.resolve() };
  const lasts = new Promise<void>((resolve) => {
    task.end = resolve;
  });
  task.done = gate.run(signal, 'x', bytes, () => {
    task.runs = true;
    return lasts;
  });
  return task;
}

const soon = () => new Promise((resolve) => setImmediate(resolve));

test('tasks run at once as long as their bytes fit, others in order of arrival, and one that never fits alone', async () => {
  const gate = new ByteGate(10);
  const tasks = [6, 4, 50, 1].map((bytes) => started(gate, bytes));
  const running = () => tasks.map(({ runs }) => runs);
  await soon();
  expect(running()).toEqual([true, true, false, false]);
  tasks[0].end();
  await soon();
  expect(running()).toEqual([true, true, false, false]);
  tasks[1].end();
  await soon();
  expect(running()).toEqual([true, true, true, false]);
  tasks[2].end();
  await soon();
  expect(running()).toEqual([true, true, true, true]);
  tasks[3].end();
  await Promise.all(tasks.map(({ done }) => done));
});

test('who gives up waiting makes way for those behind', async () => {
  const gate = new ByteGate(10);
  const given = new AbortController();
  const [first, large, small] = [started(gate, 6), started(gate, 8, given.signal), started(gate, 4)];
  await soon();
  expect([first.runs, large.runs, small.runs]).toEqual([true, false, false]);
  given.abort();
  await expect(large.done).rejects.toMatchObject({ code: 'canceled' });
  expect(small.runs).toBe(true);
  first.end();
  small.end();
  await Promise.all([first.done, small.done]);
});
