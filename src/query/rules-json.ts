import { ALERT_STATES } from '../storeapi/alert-states.ts';
import type { WireLabelSet } from '../storeapi/messages.ts';
import type {
  WireAlertRule,
  WireRecordingRule,
  WireRuleGroup,
  WireTimestamp,
} from '../storeapi/service-messages.ts';

const STRATEGIES = ['WARN', 'ABORT'];

/** A rule group in the shape of Prometheus' `rules`, with Thanos' `partialResponseStrategy`. */
export function groupJson(group: WireRuleGroup, withAlerts: boolean) {
  return {
    name: group.name,
    file: group.file,
    rules: group.rules.flatMap(({ alert, recording }) => {
      if (alert) return [alertRuleJson(alert, withAlerts)];
      return recording ? [{ ...ruleJson(recording), type: 'recording' }] : [];
    }),
    interval: group.interval,
    limit: group.limit ?? 0,
    evaluationTime: group.evaluation_duration_seconds,
    lastEvaluation: timeText(group.last_evaluation),
    partialResponseStrategy: STRATEGIES[group.PartialResponseStrategy ?? 0] ?? STRATEGIES[0],
  };
}

/** The alerts of a group, as `alerts` lists them. */
export function alertsJson({ rules }: WireRuleGroup) {
  return rules.flatMap(({ alert }) => (alert ? alertList(alert) : []));
}

function ruleJson(rule: WireRecordingRule) {
  return {
    name: rule.name,
    query: rule.query,
    ...(rule.labels && rule.labels.labels.length > 0 && { labels: labelsJson(rule.labels) }),
    health: rule.health,
    ...(rule.last_error !== '' && { lastError: rule.last_error }),
    evaluationTime: rule.evaluation_duration_seconds,
    lastEvaluation: timeText(rule.last_evaluation),
  };
}

function alertRuleJson(rule: WireAlertRule, withAlerts: boolean) {
  return {
    state: ALERT_STATES[rule.state] ?? ALERT_STATES[0],
    ...ruleJson(rule),
    labels: labelsJson(rule.labels),
    duration: rule.duration_seconds,
    keepFiringFor: rule.keep_firing_for_seconds ?? 0,
    annotations: labelsJson(rule.annotations),
    alerts: withAlerts ? alertList(rule) : [],
    type: 'alerting',
  };
}

function alertList({ alerts }: WireAlertRule) {
  return alerts.map((alert) => ({
    labels: labelsJson(alert.labels),
    annotations: labelsJson(alert.annotations),
    state: ALERT_STATES[alert.state] ?? ALERT_STATES[0],
    activeAt: timeText(alert.active_at),
    value: alert.value,
  }));
}

/** Label names are a peer's words: the object has no prototype. */
export function labelsJson(set: WireLabelSet | null | undefined): Record<string, string> {
  const object: Record<string, string> = Object.create(null);
  for (const { name, value } of set?.labels ?? []) object[name] = value;
  return object;
}

const NEVER = '0001-01-01T00:00:00Z';
/** Somewhat less than what a Date holds. */
const SECONDS_MAX = 8.6e12;

/** RFC 3339; what never was is the first second of all, as in Go. */
export function timeText(time: WireTimestamp | null | undefined): string {
  if (!time || Math.abs(time.seconds) > SECONDS_MAX) return NEVER;
  return new Date(time.seconds * 1000 + time.nanos / 1e6).toISOString();
}
