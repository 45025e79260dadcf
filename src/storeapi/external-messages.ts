import type { Labels } from '../model/labels.ts';
import type { StreamingMethod, StreamingService } from './grpc-server.ts';
import type { WireLabelSet } from './messages.ts';
import type {
  WireRule,
  WireRuleGroup,
  WireRulesResponse,
  WireTargets,
  WireTargetsResponse,
} from './service-messages.ts';
import { readLabelSet, writeLabelSet } from './wire-requests.ts';

/**
 * Services of this process as others see them over the StoreAPI: rules, alerts and targets have the labels that the series
 * of their tenant have there, which win over labels of the same name.
 */
export function withExternalLabels(
  services: readonly StreamingService[],
  external: (tenant: string) => Labels,
): StreamingService[] {
  return services.map(({ service, methods }) => ({
    service,
    methods: Object.fromEntries(
      Object.entries(methods).map(([name, method]) => [name, labelled(method, external)]),
    ),
  }));
}

function labelled(method: StreamingMethod, external: (tenant: string) => Labels): StreamingMethod {
  return async function* (tenant, request, signal) {
    const labels = external(tenant).toJSON();
    const add: AddLabels = (set) => writeLabelSet(readLabelSet(set ?? { labels: [] }).with(labels));
    for await (const message of method(tenant, request, signal)) {
      const { group, targets } = message as WireRulesResponse & WireTargetsResponse;
      if (group) yield { group: labelledGroup(group, add) };
      else if (targets) yield { targets: labelledTargets(targets, add) };
      else yield message;
    }
  };
}

type AddLabels = (set: WireLabelSet | null | undefined) => WireLabelSet;

function labelledGroup(group: WireRuleGroup, add: AddLabels): WireRuleGroup {
  return { ...group, rules: group.rules.map((rule) => labelledRule(rule, add)) };
}

function labelledRule({ alert, recording }: WireRule, add: AddLabels): WireRule {
  if (!alert) return recording ? { recording: { ...recording, labels: add(recording.labels) } } : {};
  const alerts = alert.alerts.map((one) => ({ ...one, labels: add(one.labels) }));
  return { alert: { ...alert, labels: add(alert.labels), alerts } };
}

function labelledTargets({ activeTargets, droppedTargets }: WireTargets, add: AddLabels): WireTargets {
  return { activeTargets: activeTargets.map((one) => ({ ...one, labels: add(one.labels) })), droppedTargets };
}
