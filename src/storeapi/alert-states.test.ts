import { expect, test } from 'vitest';
import { ALERT_STATES, withKnownStates } from './alert-states.ts';
import type { WireRulesResponse } from './service-messages.ts';

const EVALUATED = { seconds: 1000, nanos: 0 };
const NEVER = { seconds: -62_135_596_800, nanos: 0 };

function rule(state: number, active: readonly number[] = [], last_evaluation = EVALUATED) {
  const times = { health: 'ok', last_error: '', evaluation_duration_seconds: 0, last_evaluation };
  const alerts = active.map((one) => ({ state: one, value: '1' }));
  return { alert: { name: 'A', query: 'up == 0', ...times, state, duration_seconds: 0, alerts } };
}

/** The states of the rules and of their alerts, by name, of an answer with one group for each list of rules. */
async function read(...groups: readonly (readonly ReturnType<typeof rule>[])[]): Promise<string[][]> {
  async function* answer(): AsyncGenerator<WireRulesResponse> {
    for (const rules of groups)
      yield { group: { name: 'g', file: 'f', rules, interval: 15, evaluation_duration_seconds: 0 } };
  }
  const states: string[][] = [];
  for await (const { group } of withKnownStates(answer()))
    for (const { alert } of group?.rules ?? [])
      if (alert)
        states.push([alert.state, ...alert.alerts.map((one) => one.state)].map((n) => ALERT_STATES[n]));
  return states;
}

test('states are read with the numbers of Thanos 0.41 and later', async () => {
  expect(await read([rule(1), rule(2, [2])], [rule(3, [3, 2]), rule(0, [], NEVER)])).toEqual([
    ['inactive'],
    ['pending', 'pending'],
    ['firing', 'firing', 'pending'],
    ['unknown'],
  ]);
  expect(await read([rule(1)])).toEqual([['inactive']]);
  expect(await read([rule(0, [], NEVER)])).toEqual([['unknown']]);
});

test('states are read with the numbers of an older Thanos where its answer shows that it has them', async () => {
  // A rule that was evaluated and whose state is 0 was inactive.
  expect(await read([rule(2, [2, 2])], [rule(0)])).toEqual([['firing', 'firing', 'firing'], ['inactive']]);
  // An alert that is listed is active.
  expect(await read([rule(2, [2, 1]), rule(1, [1])])).toEqual([
    ['firing', 'firing', 'pending'],
    ['pending', 'pending'],
  ]);
});

test('warnings and recording rules pass', async () => {
  const recording = { ...rule(0).alert };
  const group = {
    name: 'g',
    file: 'f',
    rules: [{ recording }],
    interval: 15,
    evaluation_duration_seconds: 0,
  };
  async function* answer(): AsyncGenerator<WireRulesResponse> {
    yield { warning: 'slow' };
    yield { group };
  }
  const read: WireRulesResponse[] = [];
  for await (const message of withKnownStates(answer())) read.push(message);
  expect(read).toEqual([{ warning: 'slow' }, { group }]);
});
