import { compareStrings } from '../model/labels.ts';
import type { WireLabel, WireLabelSet } from './messages.ts';

/** Labels in the order of their names, without those that tell replicas apart. */
export function withoutReplicas(
  set: WireLabelSet | null | undefined,
  replicaLabels: ReadonlySet<string>,
): WireLabelSet {
  const labels = (set?.labels ?? []).filter(({ name }) => !replicaLabels.has(name));
  return { labels: labels.sort((a, b) => compareStrings(a.name, b.name)) };
}

/** Equal for equal label sets. */
export function labelSetKey({ labels }: { readonly labels: readonly WireLabel[] }): string {
  return JSON.stringify(labels.map(({ name, value }) => [name, value]));
}

/** The value of a label; empty when there is none. */
export function labelValue(set: WireLabelSet | null | undefined, name: string): string {
  return set?.labels.find((label) => label.name === name)?.value ?? '';
}
