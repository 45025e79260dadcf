import { isLater } from './merge-rules.ts';
import { labelSetKey, withoutReplicas } from './replica-labels.ts';
import type { WireActiveTarget, WireDroppedTarget, WireTargets } from './service-messages.ts';

const UNKNOWN = 2;

/**
 * Targets of several processes as one list: those that are equal without replica labels are one, and of those the last
 * scrape speaks; one that was never scraped speaks only for itself. In the order in which they were first seen.
 */
export function mergeTargets(lists: readonly WireTargets[], replicaLabels: ReadonlySet<string>): WireTargets {
  const active = new Map<string, WireActiveTarget>();
  for (const target of lists.flatMap((list) => list.activeTargets)) {
    const discoveredLabels = withoutReplicas(target.discoveredLabels, replicaLabels);
    const labels = withoutReplicas(target.labels, replicaLabels);
    const plain = { ...target, discoveredLabels, labels };
    const { scrapePool, scrapeUrl } = target;
    const key = JSON.stringify([scrapePool, scrapeUrl, labelSetKey(labels), labelSetKey(discoveredLabels)]);
    const known = active.get(key);
    if (known === undefined || isMoreTelling(plain, known)) active.set(key, plain);
  }
  const dropped = new Map<string, WireDroppedTarget>();
  for (const target of lists.flatMap((list) => list.droppedTargets)) {
    const discoveredLabels = withoutReplicas(target.discoveredLabels, replicaLabels);
    const key = JSON.stringify([target.scrapePool ?? '', labelSetKey(discoveredLabels)]);
    if (!dropped.has(key)) dropped.set(key, { ...target, discoveredLabels });
  }
  return { activeTargets: [...active.values()], droppedTargets: [...dropped.values()] };
}

function isMoreTelling(a: WireActiveTarget, b: WireActiveTarget): boolean {
  if ((a.health === UNKNOWN) !== (b.health === UNKNOWN)) return b.health === UNKNOWN;
  return isLater(a.lastScrape, b.lastScrape);
}
