import type { WireAlertRule, WireRuleGroup, WireRulesResponse } from './service-messages.ts';

/** States of alerts by their numbers on the wire, as Thanos has had them since 0.41. Before, `inactive` was 0. */
export const ALERT_STATES = ['unknown', 'inactive', 'pending', 'firing'] as const;

const [UNKNOWN, INACTIVE, , FIRING] = ALERT_STATES.keys();

/**
 * An answer to `Rules` of any Thanos, with states numbered as above. Which numbers a peer has can only be told from what it
 * says: an older one names states that the newer ones have for nobody who is listed. Holds the answer until it is whole.
 */
export async function* withKnownStates(
  messages: AsyncIterable<WireRulesResponse>,
): AsyncGenerator<WireRulesResponse> {
  const answer: WireRulesResponse[] = [];
  for await (const message of messages) answer.push(message);
  const isOld = hasOldStates(answer.flatMap(({ group }) => (group ? [group] : [])));
  for (const message of answer)
    yield isOld && message.group ? { ...message, group: renumbered(message.group) } : message;
}

/** Active alerts are pending or firing; unknown is only a rule that was never evaluated. */
function hasOldStates(groups: readonly WireRuleGroup[]): boolean {
  const rules = groups.flatMap((group) => group.rules.flatMap(({ alert }) => (alert ? [alert] : [])));
  const isNew = rules.some(({ state, alerts }) =>
    [state, ...alerts.map((one) => one.state)].includes(FIRING),
  );
  return !isNew && rules.some(isOld);
}

function isOld({ state, alerts, last_evaluation }: WireAlertRule): boolean {
  if (alerts.some((one) => one.state <= INACTIVE)) return true;
  return state === UNKNOWN && (last_evaluation?.seconds ?? 0) > 0;
}

function renumbered(group: WireRuleGroup): WireRuleGroup {
  const rules = group.rules.map((rule) => {
    if (!rule.alert) return rule;
    const alerts = rule.alert.alerts.map((one) => ({ ...one, state: one.state + 1 }));
    return { alert: { ...rule.alert, state: rule.alert.state + 1, alerts } };
  });
  return { ...group, rules };
}
