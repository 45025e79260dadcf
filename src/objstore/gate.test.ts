import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CALM } from './acceptance.ts';
import { Gate } from './gate.ts';

const tick = () => new Promise((resolve) => setImmediate(resolve));

test('whatever succeeds, fails or is cancelled, no more run at once than may, all in order, and all places come back', async () => {
  const task = fc.record({ ticks: fc.nat(4), fails: fc.boolean(), cancelAfter: fc.option(fc.nat(6)) });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(task, { maxLength: 25 }),
      async (max, tasks) => {
        const gate = new Gate(max);
        const begun: number[] = [];
        let running = 0;
        const results = tasks.map(async ({ ticks, fails, cancelAfter }, i) => {
          const controller = new AbortController();
          const ended = gate
            .run(controller.signal, 'task', async () => {
              begun.push(i);
              expect(++running).toBeLessThanOrEqual(max);
              for (let k = 0; k < ticks; k++) await tick();
              running--;
              if (fails) throw new Error('failed');
            })
            .catch(() => {});
          if (cancelAfter !== null) for (let k = 0; k < cancelAfter; k++) await tick();
          if (cancelAfter !== null) controller.abort();
          await ended;
        });
        await Promise.all(results);
        expect(running).toBe(0);
        expect(begun).toEqual([...begun].sort((a, b) => a - b));
        let together = 0;
        const all = Array.from({ length: max }, () =>
          gate.run(CALM.signal, 'task', async () => {
            together++;
            while (together < max) await tick();
          }),
        );
        await Promise.all(all);
      },
    ),
    { numRuns: 100 },
  );
});

test('who is cancelled while waiting goes at once, and takes no place along', async () => {
  const gate = new Gate(1);
  let release = () => {};
  const first = gate.run(CALM.signal, 'first', () => new Promise<void>((resolve) => (release = resolve)));
  const controller = new AbortController();
  const waiting = gate.run(controller.signal, 'second', async () => {});
  const third = gate.run(CALM.signal, 'third', async () => 'third');
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'canceled', message: 'second: canceled' });
  await expect(gate.run(controller.signal, 'late', async () => {})).rejects.toMatchObject({
    code: 'canceled',
  });
  release();
  await first;
  expect(await third).toBe('third');
});
