import { compareStrings } from '../model/labels.ts';
import type { WireLabelSet } from './messages.ts';
import { labelSetKey, withoutReplicas } from './replica-labels.ts';
import type {
  WireAlertRule,
  WireRecordingRule,
  WireRule,
  WireRuleGroup,
  WireTimestamp,
} from './service-messages.ts';

/**
 * Rule groups of several processes as one list, as Thanos makes it: groups of one file and name are one, and rules that
 * are equal without replica labels are one. Of those the worse state speaks (firing before pending), then the later
 * evaluation. Groups by file and name; rules in the order in which they were first seen.
 */
export function mergeRuleGroups(
  groups: readonly WireRuleGroup[],
  replicaLabels: ReadonlySet<string>,
): WireRuleGroup[] {
  const byKey = new Map<string, WireRuleGroup[]>();
  for (const group of groups) {
    const key = JSON.stringify([group.file, group.name]);
    const same = byKey.get(key);
    if (same) same.push(group);
    else byKey.set(key, [group]);
  }
  return [...byKey.values()]
    .map((same) => mergeGroup(same, replicaLabels))
    .sort((a, b) => compareStrings(a.file, b.file) || compareStrings(a.name, b.name));
}

function mergeGroup(same: readonly WireRuleGroup[], replicaLabels: ReadonlySet<string>): WireRuleGroup {
  const rules = new Map<string, WireRule>();
  for (const rule of same.flatMap((group) => group.rules)) {
    const plain = plainRule(rule, replicaLabels);
    const key = ruleKey(plain);
    const known = rules.get(key);
    if (known === undefined || isMoreTelling(plain, known)) rules.set(key, plain);
  }
  const latest = same.reduce((a, b) => (isLater(b.last_evaluation, a.last_evaluation) ? b : a));
  return { ...latest, rules: [...rules.values()] };
}

function plainRule({ alert, recording }: WireRule, replicaLabels: ReadonlySet<string>): WireRule {
  if (!alert)
    return recording
      ? { recording: { ...recording, labels: withoutReplicas(recording.labels, replicaLabels) } }
      : {};
  return {
    alert: {
      ...alert,
      labels: withoutReplicas(alert.labels, replicaLabels),
      alerts: alert.alerts.map((one) => ({
        ...one,
        labels: withoutReplicas(labelsOfAlert(one.labels, alert.labels), replicaLabels),
      })),
    },
  };
}

/** Sidecars put external labels on rules only: an alert has those of its rule too, but for names that it has itself. */
function labelsOfAlert(
  own: WireLabelSet | null | undefined,
  ofRule: WireLabelSet | null | undefined,
): WireLabelSet {
  const labels = own?.labels ?? [];
  const names = new Set(labels.map(({ name }) => name));
  const added = (ofRule?.labels ?? []).filter(({ name }) => !names.has(name));
  if (added.length === 0) return { labels };
  return { labels: [...labels, ...added].sort((a, b) => compareStrings(a.name, b.name)) };
}

/** Of a rule without replica labels: what makes it the same rule elsewhere. */
function ruleKey({ alert, recording }: WireRule): string {
  const rule = alert ?? recording;
  if (!rule) return '';
  const own = alert ? [alert.duration_seconds, alert.keep_firing_for_seconds ?? 0] : [];
  return JSON.stringify([alert ? 1 : 0, rule.name, rule.query, labelSetKey(rule.labels!), ...own]);
}

function isMoreTelling(a: WireRule, b: WireRule): boolean {
  if (a.alert && b.alert && a.alert.state !== b.alert.state) return a.alert.state > b.alert.state;
  return isLater(evaluationOf(a), evaluationOf(b));
}

function evaluationOf({ alert, recording }: WireRule): WireTimestamp | null | undefined {
  return (alert ?? recording)?.last_evaluation;
}

/** Whether `a` is after `b`; a time that is missing is before all others. */
export function isLater(a: WireTimestamp | null | undefined, b: WireTimestamp | null | undefined): boolean {
  if (!a || !b) return !!a;
  return a.seconds !== b.seconds ? a.seconds > b.seconds : a.nanos > b.nanos;
}

/** The rules of groups that `keep` wants; groups that lose all of them go too. */
export function filterRules(
  groups: readonly WireRuleGroup[],
  keep: (rule: WireAlertRule | WireRecordingRule, isAlert: boolean) => boolean,
): WireRuleGroup[] {
  return groups
    .map((group) => {
      const rules = group.rules.filter(({ alert, recording }) => {
        const rule = alert ?? recording;
        return !!rule && keep(rule, !!alert);
      });
      return { ...group, rules };
    })
    .filter(({ rules }) => rules.length > 0);
}
