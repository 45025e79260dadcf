/** Who does which work when several compactors share a bucket. Every piece of work has exactly one owner at a time. */
export interface Ownership {
  /** Whether this process looks after the tenant as a whole: garbage, retention, clean-up. */
  ownsTenant(tenant: string): boolean;
  /** Whether it does this job. */
  ownsJob(tenant: string, jobId: string): boolean;
}

/** A single compactor owns everything. */
export const ownsAll: Ownership = {
  ownsTenant: () => true,
  ownsJob: () => true,
};

/**
 * A fixed number of compactors, each told which one it is (from 0): work is divided by a hash of the names, the jobs of one
 * tenant among all of them.
 */
export function ownsShareOf(index: number, count: number): Ownership {
  return {
    ownsTenant: (tenant) => hash(tenant) % count === index,
    ownsJob: (tenant, jobId) => hash(`${tenant}\n${jobId}`) % count === index,
  };
}

/** FNV-1a with a final mix. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
