import { decodeLabels } from '../encoding/label-bytes.ts';
import type { Matcher } from '../model/matcher.ts';
import { anyCanMatch } from './external-labels.ts';
import type { RemoteStore } from './remote-stores.ts';

/** Which of the stores that hold series of a select may aggregate them by themselves. */
export interface DisjointStores {
  readonly alone: readonly string[];
  /** Whether others hold some too. */
  readonly hasRest: boolean;
}

/**
 * Stores may hold the same series when their label sets do not say otherwise: sidecar and bucket of one Prometheus, its
 * replicas, everything without external labels. Two are disjoint when each label set of one and each of the other have
 * different values of one label, which is not a replica label: then no series of one is a series, or a replica, or an older part
 * of a series of the other. A store that is disjoint from all others asked, evaluates PromQL and is healthy stands
 * alone, whatever times it covers. `matchers` and times choose the stores that are asked at all.
 */
export function disjointStores(
  stores: readonly RemoteStore[],
  select: { readonly matchers: readonly Matcher[]; readonly mint: number; readonly maxt: number },
  replicaLabels: readonly string[],
): DisjointStores {
  const asked = stores
    .filter(({ mint, maxt }) => mint <= select.maxt && maxt >= select.mint)
    .map((store) => ({ store, labelSets: store.labelSets.map((bytes) => decodeLabels(bytes)) }))
    .filter(({ labelSets }) => anyCanMatch(select.matchers, labelSets))
    .map(({ store, labelSets }) => ({
      store,
      labelSets: labelSets.map((one) => one.drop(new Set(replicaLabels))),
    }));
  const alone = asked
    .filter(
      (one) =>
        one.store.hasQueries &&
        one.store.healthy &&
        asked.every((other) => other === one || areDisjoint(one.labelSets, other.labelSets)),
    )
    .map(({ store }) => store.address);
  return { alone, hasRest: alone.length < asked.length };
}

type LabelSets = readonly ReturnType<typeof decodeLabels>[];

/** No label set at all may be anything. */
function areDisjoint(a: LabelSets, b: LabelSets): boolean {
  if (a.length === 0 || b.length === 0) return false;
  return a.every((one) =>
    b.every((other) => [...one].some(([name, value]) => other.has(name) && other.get(name) !== value)),
  );
}
