import type { BucketBlock } from '../blocks/block-catalog.ts';
import type { DeletionRequest, MatcherText } from '../blocks/deletion-request.ts';

/** Series that are kept shorter than others. */
export interface SelectorRetention {
  /** Whose; undefined for all tenants. */
  readonly tenant: string | undefined;
  readonly matchers: readonly MatcherText[];
  readonly keptMs: number;
}

/** Begins the id of a removal that is no request of anybody, in `thanos.rewrites`. */
const PREFIX = 'retention-';

/**
 * The rules of a tenant as removals: what a rule selects goes from every block that ended longer ago than it says. Their ids tell
 * the rule, so that a block says of itself which rules it was rewritten for.
 */
export function retentionRemovals(
  tenant: string,
  rules: readonly SelectorRetention[],
  nowMs: number,
): DeletionRequest[] {
  return rules
    .filter((rule) => rule.tenant === undefined || rule.tenant === tenant)
    .map(({ matchers, keptMs }) => ({
      id: PREFIX + hash(JSON.stringify([matchers, keptMs])),
      timeMs: nowMs,
      mint: Number.MIN_SAFE_INTEGER,
      maxt: nowMs - keptMs,
      matcherSets: [matchers],
    }));
}

export function isRetentionId(id: string): boolean {
  return id.startsWith(PREFIX);
}

/** Whether a removal concerns a block: only as a whole, so that what was done once is done for ever. */
export function needsRemoval({ meta }: BucketBlock, { id, maxt }: DeletionRequest): boolean {
  return meta.maxt <= maxt && !meta.appliedDeletions.includes(id);
}

/** FNV-1a, twice with different beginnings: 64 bits of a name. */
function hash(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return [0x811c9dc5, 0x1b873593]
    .map((seed) => bytes.reduce((h, byte) => Math.imul(h ^ byte, 0x01000193), seed) >>> 0)
    .map((h) => h.toString(16).padStart(8, '0'))
    .join('');
}
