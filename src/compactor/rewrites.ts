import type { DeletionRequest } from '../blocks/deletion-request.ts';
import { META_FILE } from '../blocks/layout.ts';
import { parseMeta } from '../blocks/meta.ts';
import { RELABEL_DEFAULTS, type RelabelRule } from '../model/relabel-rule.ts';

/** What was changed in a block on its way. */
export interface Rewrite {
  /** The blocks of first hand that went into it. */
  readonly sources: readonly string[];
  /** Requests that hold for it, by id. */
  readonly deletions: readonly string[];
  /** Those of which more is known. */
  readonly requests: readonly DeletionRequest[];
  readonly relabels: readonly RelabelRule[];
}

/** Go's numbers of kinds of matchers. */
const MATCH_TYPES = ['=', '!=', '=~', '!~'];

/** For `meta.json`, as an entry of `thanos.rewrites` in Thanos' form; none for a block in which nothing was changed. */
export function rewritesOf({ sources, deletions, requests, relabels }: Rewrite): readonly object[] {
  if (deletions.length + relabels.length === 0) return [];
  const byId = new Map(requests.map((request) => [request.id, request]));
  const applied = deletions.flatMap((id) => {
    const request = byId.get(id);
    return request ? deletionEntries(request) : [{ request_id: id }];
  });
  return [
    {
      sources,
      ...(applied.length > 0 && { deletions_applied: applied }),
      ...(relabels.length > 0 && { relabels_applied: relabels.map(relabelEntry) }),
    },
  ];
}

/** What a `meta.json` says of earlier changes, as it stands. */
export function earlierRewrites(
  meta: Uint8Array,
  ulid: string,
): {
  readonly sources: readonly string[];
  readonly deletions: readonly string[];
  readonly rewrites: readonly unknown[];
} {
  const { sources, appliedDeletions } = parseMeta(meta, META_FILE, ulid);
  const { thanos } = JSON.parse(new TextDecoder().decode(meta)) as { thanos?: { rewrites?: unknown[] } };
  return {
    sources: sources.length > 0 ? sources : [ulid],
    deletions: appliedDeletions,
    rewrites: thanos?.rewrites ?? [],
  };
}

/** One per set of matchers, since Thanos has one set in each. */
function deletionEntries({ id, mint, maxt, matcherSets }: DeletionRequest): object[] {
  return matcherSets.map((set) => ({
    matchers: set.map(({ type, name, value }) => ({
      Type: MATCH_TYPES.indexOf(type),
      Name: name,
      Value: value,
    })),
    intervals: [{ Mint: mint, Maxt: maxt }],
    request_id: id,
  }));
}

/** Without the expression: many a Thanos takes a `meta.json` for broken that has it as text, and cannot write it itself. */
function relabelEntry(given: RelabelRule): object {
  const { action, sourceLabels, separator, modulus, targetLabel, replacement } = {
    ...RELABEL_DEFAULTS,
    ...given,
  };
  const isSafe = modulus > 0n && modulus <= BigInt(Number.MAX_SAFE_INTEGER);
  return {
    ...(sourceLabels.length > 0 && { sourceLabels }),
    separator,
    ...(isSafe && { modulus: Number(modulus) }),
    ...(targetLabel !== '' && { targetLabel }),
    replacement,
    action,
  };
}
