import { expect, test } from 'vitest';
import { mergeMetadata } from './merge-metadata.ts';
import { mergeRuleGroups } from './merge-rules.ts';
import { mergeTargets } from './merge-targets.ts';
import type { WireActiveTarget, WireAlertRule, WireRuleGroup } from './service-messages.ts';

const REPLICA = new Set(['replica']);
const set = (labels: Record<string, string>) => ({
  labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
});

function alert(
  labels: Record<string, string>,
  state: number,
  seconds: number,
  name = 'Quiet',
): WireAlertRule {
  return {
    name,
    query: 'up == 0',
    labels: set(labels),
    health: 'ok',
    last_error: '',
    evaluation_duration_seconds: 0,
    last_evaluation: { seconds, nanos: 0 },
    state,
    duration_seconds: 60,
    alerts: [{ labels: set({ ...labels, instance: 'x' }), state, value: '1' }],
  };
}

function group(file: string, name: string, ...alerts: WireAlertRule[]): WireRuleGroup {
  const rules = alerts.map((one) => ({ alert: one }));
  return { name, file, rules, interval: 15, evaluation_duration_seconds: 0 };
}

test('groups of one file and name are one, rules that differ in replica labels too, and the worse state speaks', () => {
  const [merged, ...others] = mergeRuleGroups(
    [
      group('f', 'g', alert({ severity: 'page', replica: 'a' }, 1, 9)),
      group('f', 'g', alert({ replica: 'b', severity: 'page' }, 2, 5)),
    ],
    REPLICA,
  );
  expect(others).toEqual([]);
  expect(merged.rules).toHaveLength(1);
  const [{ alert: kept }] = merged.rules;
  expect(kept?.state).toBe(2);
  expect(kept?.labels).toEqual(set({ severity: 'page' }));
  expect(kept?.alerts[0].labels).toEqual(set({ instance: 'x', severity: 'page' }));
});

test('alerts have the external labels of their rule, and their own where both have a name', () => {
  const rule = alert({ cluster: 'eu', replica: 'a', severity: '{{ $value }}' }, 3, 9);
  const active = [{ labels: set({ instance: 'x', severity: '7' }), state: 3, value: '7' }];
  const [merged] = mergeRuleGroups([group('f', 'g', { ...rule, alerts: active })], REPLICA);
  expect(merged.rules[0].alert?.alerts[0].labels).toEqual(
    set({ cluster: 'eu', instance: 'x', severity: '7' }),
  );
});

test('of equal states the later evaluation speaks', () => {
  const [merged] = mergeRuleGroups(
    [
      group('f', 'g', alert({ replica: 'a' }, 1, 9)),
      group('f', 'g', alert({ replica: 'b' }, 1, 12)),
      group('f', 'g', alert({ replica: 'c' }, 1, 3)),
    ],
    REPLICA,
  );
  expect(merged.rules[0].alert?.last_evaluation?.seconds).toBe(12);
});

test('other labels, names and files keep rules and groups apart, in the order they were written in', () => {
  const merged = mergeRuleGroups(
    [
      group('g', 'a', alert({}, 0, 1)),
      group('f', 'b', alert({ cluster: 'us' }, 0, 1), alert({ cluster: 'eu' }, 0, 1)),
      group('f', 'b', alert({ cluster: 'eu' }, 0, 1, 'Another')),
    ],
    REPLICA,
  );
  expect(merged.map(({ file, name }) => file + name)).toEqual(['fb', 'ga']);
  expect(merged[0].rules.map(({ alert: one }) => [one?.name, one?.labels?.labels[0].value])).toEqual([
    ['Quiet', 'us'],
    ['Quiet', 'eu'],
    ['Another', 'eu'],
  ]);
});

test('without replica labels every rule is shown', () => {
  const groups = [
    group('f', 'g', alert({ replica: 'a' }, 1, 9)),
    group('f', 'g', alert({ replica: 'b' }, 1, 9)),
  ];
  expect(mergeRuleGroups(groups, new Set())[0].rules).toHaveLength(2);
});

function target(labels: Record<string, string>, health: number, seconds: number): WireActiveTarget {
  return {
    discoveredLabels: set({ __address__: 'x:1' }),
    labels: set(labels),
    scrapePool: 'web',
    scrapeUrl: 'http://x:1/metrics',
    globalUrl: 'http://x:1/metrics',
    lastError: '',
    lastScrape: { seconds, nanos: 0 },
    lastScrapeDuration: 0.1,
    health,
  };
}

test('targets that differ in replica labels are one, of which the last scrape speaks, unless its outcome is unknown', () => {
  const dropped = [{ discoveredLabels: set({ __address__: 'y:1' }) }];
  const merged = mergeTargets(
    [
      { activeTargets: [target({ job: 'web', replica: 'a' }, 0, 5)], droppedTargets: dropped },
      { activeTargets: [target({ job: 'web', replica: 'b' }, 1, 7)], droppedTargets: dropped },
      { activeTargets: [target({ job: 'web', replica: 'c' }, 2, 9)], droppedTargets: [] },
      { activeTargets: [target({ job: 'other', replica: 'c' }, 2, 9)], droppedTargets: [] },
    ],
    REPLICA,
  );
  expect(merged.activeTargets.map(({ labels, health }) => [labels?.labels[0].value, health])).toEqual([
    ['web', 1],
    ['other', 2],
  ]);
  expect(merged.droppedTargets).toEqual(dropped);
});

test('metadata have every distinct entry once, by metric', () => {
  const counter = { type: 'counter', help: 'Requests.', unit: '' };
  const gauge = { type: 'gauge', help: 'Requests.', unit: '' };
  const merged = mergeMetadata([
    { up: { metas: [gauge] }, requests: { metas: [counter] } },
    { requests: { metas: [counter, gauge] } },
  ]);
  expect([...merged]).toEqual([
    ['requests', [counter, gauge]],
    ['up', [gauge]],
  ]);
});
