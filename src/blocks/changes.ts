import { createHash } from 'node:crypto';
import { isUlid, renamedUlid } from '../tsdb/block/ulid.ts';

/** What a block is made of. */
export interface Lineage {
  /** Blocks of first hand. */
  readonly sources: readonly string[];
  /** What was changed in their samples or labels on the way, as `changeName` names it. */
  readonly changes: readonly string[];
}

/** A name made at the beginning of 1970 is that of no block. */
const NO_TIME = '0000000000';

/**
 * Names a change (a deletion request, a rewrite, a repair) among a block's `compaction.sources`: a ULID of time zero. Thanos
 * and Cortex take the block with more sources for the better one and the other for its outdated copy; of two with the same
 * sources they keep the older one, and delete what was written anew. The same change has the same name in blocks of all
 * resolutions, so that Thanos finds every source of a raw block in the coarser one. A change whose id is the ULID of a block
 * keeps its last 16 characters.
 */
export function changeName(id: string): string {
  if (isUlid(id)) return NO_TIME + id.slice(NO_TIME.length);
  return renamedUlid(NO_TIME, createHash('sha256').update(id).digest());
}

/**
 * Tells blocks and changes in `compaction.sources` apart. `rewrites` are the `sources` of the entries in `thanos.rewrites`,
 * oldest first: what Thanos rewrites has its own name as its only source, and what it is made of stands there only.
 */
export function lineageOf(listed: readonly string[], rewrites: readonly (readonly string[])[]): Lineage {
  const own = split(listed);
  const [first, ...later] = rewrites.map(split).filter(({ sources }) => sources.length > 0);
  if (!first || own.sources.some((source) => first.sources.includes(source))) return own;
  const names = [...own.sources, ...later.flatMap(({ sources }) => sources)];
  const changes = [...own.changes, ...first.changes, ...names.map(changeName)];
  return { sources: first.sources, changes: [...new Set(changes)].sort() };
}

/** The inverse of `lineageOf`, with the names that blocks say of themselves, by which Thanos finds what it rewrote. */
export function listedSources(
  lineages: readonly Lineage[],
  listed: readonly string[],
  ids: readonly string[],
): readonly string[] {
  const all = lineages.flatMap(({ sources, changes }) => [...sources, ...changes]);
  return [...new Set([...all, ...listed, ...ids.map(changeName)])].sort();
}

/** A name beside which the same stands as a change is that of a rewritten block: no block of first hand. */
function split(listed: readonly string[]): Lineage {
  const changes = listed.filter((name) => name.startsWith(NO_TIME));
  if (changes.length === 0) return { sources: listed, changes };
  const known = new Set(changes);
  return { sources: listed.filter((name) => !known.has(changeName(name))), changes };
}
