import { expect, test } from 'vitest';
import { silentLogger } from '../../platform/log.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { Metrics } from '../../platform/metrics.ts';
import { HandClock } from '../../platform/testdata/hand-clock.ts';
import { Reloader } from './reloader.ts';

async function setUp(changes: { readonly toleratesUnset?: boolean; readonly outputFile?: string } = {}) {
  const disk = new MemoryDisk();
  const clock = new HandClock(1_000_000);
  const metrics = new Metrics();
  for (const folder of ['in', 'out', 'rules/team']) await disk.makeDir(folder);
  const state = { reloads: 0, failure: undefined as Error | undefined };
  const reloader = new Reloader(
    {
      configFile: 'in/prometheus.yml',
      outputFile: 'out/prometheus.yml',
      ruleDirs: ['rules'],
      watchIntervalMs: 180_000,
      retryIntervalMs: 5_000,
      toleratesUnset: false,
      environment: { REPLICA: 'a' },
      ...changes,
    },
    {
      disk,
      clock,
      metrics,
      log: silentLogger,
      reload: async () => {
        state.reloads++;
        if (state.failure) throw state.failure;
      },
    },
  );
  const write = async (path: string, text: string) => {
    clock.time++;
    await disk.writeFileAtomic(path, Buffer.from(text));
  };
  const output = async () => Buffer.from(await disk.readFile('out/prometheus.yml')).toString();
  const value = async (name: string) =>
    Number((await metrics.registry.getSingleMetricAsString(name)).split(' ').at(-1));
  return { reloader, disk, clock, state, write, output, value };
}

test('the configuration lies expanded where Prometheus reads it before the start is over', async () => {
  const { reloader, write, output, state } = await setUp();
  await write('in/prometheus.yml', 'replica: $(REPLICA)');
  await reloader.start();
  expect([await output(), state.reloads]).toEqual(['replica: a', 0]);
  await reloader.stop();
});

test('Prometheus is reloaded when contents changed, and only then', async () => {
  const { reloader, write, disk, clock, state, value } = await setUp();
  await write('in/prometheus.yml', 'replica: $(REPLICA)');
  await reloader.look();
  await reloader.look();
  expect(state.reloads).toBe(1);
  await write('rules/team/a.yml', 'groups: []');
  await reloader.look();
  expect(state.reloads).toBe(2);
  await write('rules/team/a.yml', 'groups: []');
  clock.time += 180_000;
  await reloader.look();
  expect(state.reloads).toBe(2);
  await disk.rename('rules/team/a.yml', 'rules/team/b.yml');
  await reloader.look();
  await disk.remove('rules/team');
  await reloader.look();
  expect(state.reloads).toBe(4);
  expect(await value('reloader_reloads_total')).toBe(4);
  expect(await value('reloader_last_reload_successful')).toBe(1);
});

test('a reload that failed is tried again, later each time, and at once when a file changes', async () => {
  const { reloader, write, clock, state, value } = await setUp();
  await write('in/prometheus.yml', 'a');
  state.failure = new Error('not good');
  await reloader.look();
  const waits = [];
  for (let i = 0; i < 8; i++) {
    const before = { ms: clock.time, reloads: state.reloads };
    while (state.reloads === before.reloads) {
      clock.time += 1_000;
      await reloader.look();
    }
    waits.push((clock.time - before.ms) / 1_000);
  }
  expect(waits).toEqual([5, 10, 20, 40, 80, 160, 180, 180]);
  expect(await value('reloader_last_reload_successful')).toBe(0);
  state.failure = undefined;
  const reloads = state.reloads;
  await write('in/prometheus.yml', 'better');
  await reloader.look();
  expect(state.reloads).toBe(reloads + 1);
  expect(await value('reloader_last_reload_successful')).toBe(1);
  expect(await value('reloader_reloads_failed_total')).toBe(9);
});

test('a variable that is not set leaves what Prometheus reads as it was, and is counted when it is tolerated', async () => {
  const strict = await setUp();
  await strict.write('in/prometheus.yml', 'one: $(REPLICA)');
  await strict.reloader.look();
  await strict.write('in/prometheus.yml', 'two: $(NOWHERE)');
  await strict.reloader.look();
  expect([await strict.output(), strict.state.reloads]).toEqual(['one: a', 1]);
  expect(await strict.value('reloader_config_apply_operations_failed_total')).toBe(1);
  const lenient = await setUp({ toleratesUnset: true });
  await lenient.write('in/prometheus.yml', 'two: $(NOWHERE) $(REPLICA)');
  await lenient.reloader.look();
  expect(await lenient.output()).toBe('two: $(NOWHERE) a');
  expect(await lenient.value('reloader_config_environment_variable_expansion_errors')).toBe(1);
});

test('a configuration that is not there is no reason to stop', async () => {
  const { reloader, write, state, output } = await setUp();
  await reloader.start();
  await reloader.look();
  expect(state.reloads).toBe(0);
  await write('in/prometheus.yml', 'late: $(REPLICA)');
  await reloader.look();
  expect([await output(), state.reloads]).toEqual(['late: a', 1]);
  await reloader.stop();
});
