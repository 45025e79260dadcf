import { decodeLabels } from '../encoding/label-bytes.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { anyCanMatch } from './external-labels.ts';
import type { RemoteStore } from './remote-stores.ts';

/** Which of the stores that hold series of a select may aggregate them by themselves. */
export interface DisjointStores {
  readonly alone: readonly string[];
  /** Whether others hold some too. */
  readonly hasRest: boolean;
}

/** Among more stores than this, each is told from the others by one label that all have, or not at all. */
const PAIRS_MAX = 100;

/**
 * Stores may hold the same series when their label sets do not say otherwise: sidecar and bucket of one Prometheus, its
 * replicas, everything without external labels. Two are disjoint when there is a label that all label sets of both have, with no
 * value in common, and that is no replica label: then no series of one is a series, or a replica, or an older part of a series of
 * the other. A store that is disjoint from all others asked, evaluates PromQL and is healthy stands alone, whatever
 * times it covers. `matchers` and times choose the stores that are asked at all.
 */
export function disjointStores(
  stores: readonly RemoteStore[],
  select: { readonly matchers: readonly Matcher[]; readonly mint: number; readonly maxt: number },
  replicaLabels: readonly string[],
): DisjointStores {
  const replicas = new Set(replicaLabels);
  const asked: AskedStore[] = [];
  for (const store of stores) {
    if (store.mint > select.maxt || store.maxt < select.mint) continue;
    const labelSets = store.labelSets.map((bytes) => decodeLabels(bytes));
    if (anyCanMatch(select.matchers, labelSets))
      asked.push({ store, values: valuesByName(labelSets.map((labels) => labels.drop(replicas))) });
  }
  const owners = ownersByName(asked);
  const alone = asked.filter(
    (one) =>
      one.store.hasQueries &&
      one.store.healthy &&
      (isApart(one, asked.length, owners) || isApartFromEach(one, asked)),
  );
  return { alone: alone.map(({ store }) => store.address), hasRest: alone.length < asked.length };
}

interface AskedStore {
  readonly store: RemoteStore;
  /** Of each label that every label set has, its values. */
  readonly values: ReadonlyMap<string, ReadonlySet<string>>;
}

function valuesByName(labelSets: readonly Labels[]): Map<string, Set<string>> {
  const values = new Map<string, Set<string>>();
  for (const [name] of labelSets[0] ?? [])
    if (labelSets.every((labels) => labels.has(name)))
      values.set(name, new Set(labelSets.map((labels) => labels.get(name))));
  return values;
}

interface Owners {
  /** Stores all of whose label sets have the label. */
  stores: number;
  /** How many of them have a value. */
  readonly byValue: Map<string, number>;
}

function ownersByName(asked: readonly AskedStore[]): Map<string, Owners> {
  const owners = new Map<string, Owners>();
  for (const { values } of asked)
    for (const [name, own] of values) {
      const known = owners.get(name) ?? { stores: 0, byValue: new Map<string, number>() };
      owners.set(name, known);
      known.stores++;
      for (const value of own) known.byValue.set(value, (known.byValue.get(value) ?? 0) + 1);
    }
  return owners;
}

/** Whether one label tells a store from all others: what most installations have, and found without comparing stores. */
function isApart({ values }: AskedStore, count: number, owners: ReadonlyMap<string, Owners>): boolean {
  return [...values].some(([name, own]) => {
    const { stores, byValue } = owners.get(name)!;
    return stores === count && [...own].every((value) => byValue.get(value) === 1);
  });
}

/** The same with a label for each other store. */
function isApartFromEach(one: AskedStore, asked: readonly AskedStore[]): boolean {
  return (
    asked.length <= PAIRS_MAX &&
    asked.every((other) => other === one || areDisjoint(one.values, other.values))
  );
}

function areDisjoint(a: AskedStore['values'], b: AskedStore['values']): boolean {
  for (const [name, own] of a) {
    const others = b.get(name);
    if (others !== undefined && [...own].every((value) => !others.has(value))) return true;
  }
  return false;
}
