import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { Engine } from '../promql/engine.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import { AlertingRule } from './alerting-rule.ts';
import { parseRuleFile } from './rule-file.ts';
import { RuleGroup } from './rule-group.ts';
import { engineQuery } from './rule-query.ts';

const MINUTE = 60_000;
const SURROUNDINGS = { externalLabels: new Map(), externalUrl: '' };
const signal = new AbortController().signal;

/** A group over storage in memory; `evaluate` gives messages of failures. */
function groupOf(rules: string, more = '') {
  const [definition] = parseRuleFile('r.yml', `groups:\n- name: g\n  ${more}\n  rules:\n${rules}`);
  const storage = new MemoryStorage();
  const group = new RuleGroup(definition, SURROUNDINGS);
  const query = engineQuery(new Engine(), storage, signal);
  const put = async (labels: Record<string, string>, t: number, v: number) => {
    const appender = storage.appender();
    appender.append(Labels.from(labels), t, v);
    await appender.commit();
  };
  const evaluate = async (t: number) =>
    (await group.evaluate(query, () => storage.appender(), t)).map(({ message }) => message);
  const ask = async (text: string, t: number) =>
    (await query(text, t)).map(({ labels, value }) => `${labels} ${value}`);
  const states = () =>
    group.rules.flatMap((rule) =>
      rule instanceof AlertingRule ? rule.activeAlerts.map(({ state }) => state) : [],
    );
  return { storage, group, put, evaluate, ask, states };
}

test('a recorded series that is gone ends at once, not after the lookback', async () => {
  const { put, evaluate, ask, storage } = groupOf('  - {record: y, expr: x > 1}');
  await put({ __name__: 'x' }, 0, 5);
  await evaluate(0);
  await put({ __name__: 'x' }, MINUTE, 0);
  await evaluate(MINUTE);
  expect(await ask('y', 30_000)).toEqual(['{__name__="y"} 5']);
  expect(await ask('y', MINUTE)).toEqual([]);
  const { value } = await new Engine().instant({ signal }, storage, 'count_over_time(y[10m])', {
    timeMs: MINUTE,
  });
  expect(value.type === 'vector' && value.columns.values[0]).toBe(1);
});

test('an alert waits for its time, fires, is kept firing, and is resolved', async () => {
  const { put, evaluate, states } = groupOf('  - {alert: A, expr: x == 0, for: 2m, keep_firing_for: 2m}');
  const seen: string[] = [];
  for (const [i, v] of [0, 0, 0, 1, 1, 1, 0].entries()) {
    await put({ __name__: 'x' }, i * MINUTE, v);
    await evaluate(i * MINUTE);
    seen.push(states().join() || 'none');
  }
  expect(seen).toEqual(['pending', 'pending', 'firing', 'firing', 'firing', 'none', 'pending']);
});

test('a pending alert whose condition ends is forgotten', async () => {
  const { put, evaluate, states, ask } = groupOf('  - {alert: A, expr: x == 0, for: 5m}');
  await put({ __name__: 'x' }, 0, 0);
  await evaluate(0);
  expect(await ask('ALERTS', 0)).toEqual(['{__name__="ALERTS", alertname="A", alertstate="pending"} 1']);
  await put({ __name__: 'x' }, MINUTE, 1);
  await evaluate(MINUTE);
  expect(states()).toEqual([]);
  expect(await ask('ALERTS', MINUTE)).toEqual([]);
});

test('rules see what the ones before them stored, and a failure stops no other', async () => {
  const { put, evaluate, ask } = groupOf(
    '  - {record: a, expr: x + 1}\n  - {record: b, expr: x + on (j) x}\n  - {record: c, expr: a * 2}',
  );
  await put({ __name__: 'x', i: '1' }, 0, 1);
  await put({ __name__: 'x', i: '2' }, 0, 2);
  const failures = await evaluate(0);
  expect(failures).toEqual([expect.stringContaining('found duplicate series for the match group')]);
  expect(await ask('c', 0)).toEqual(['{__name__="c", i="1"} 4', '{__name__="c", i="2"} 6']);
});

test.each([
  ['{record: y, expr: x}', 'exceeded limit of 1 with 2 series'],
  ['{alert: A, expr: x}', 'exceeded limit of 1 with 2 alerts'],
])('%s gives no more than its group allows', async (rule, message) => {
  const { put, evaluate, ask } = groupOf(`  - ${rule}`, 'limit: 1');
  for (const i of ['1', '2']) await put({ __name__: 'x', i }, 0, 1);
  expect(await evaluate(0)).toEqual([message]);
  expect(await ask('{__name__=~"y|ALERTS"}', 0)).toEqual([]);
});
