import type { Assignment } from '../cluster/assignment.ts';

/**
 * Who does which work when several compactors share a bucket. Mostly every piece of work has one owner; while the number of compactors
 * changes it may have two, or none for a while: two equal results are one for readers, and the next round removes the other.
 */
export interface Ownership {
  /** Whether this process looks after the tenant as a whole: garbage, retention, clean-up. */
  ownsTenant(tenant: string): boolean;
  /** Whether it does this job. */
  ownsJob(tenant: string, jobId: string): boolean;
}

/** Tenants are divided, and the jobs of one tenant among all compactors. */
export function ownershipBy(assignment: Assignment): Ownership {
  return {
    ownsTenant: (tenant) => assignment.owns(tenant),
    ownsJob: (tenant, jobId) => assignment.owns(`${tenant}\n${jobId}`),
  };
}
