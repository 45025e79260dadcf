import { expect, test } from 'vitest';
import { staticAssignment } from '../cluster/static-assignment.ts';
import { ownershipBy } from './ownership.ts';

test('every tenant and every job of it has one owner among several compactors, and each of these has a share', () => {
  const all = [0, 1, 2].map((instance) =>
    ownershipBy(staticAssignment({ instance, instances: 3, replicationFactor: 1 })),
  );
  const shares = [0, 0, 0];
  for (let tenant = 0; tenant < 30; tenant++) {
    expect(all.filter((one) => one.ownsTenant(`t${tenant}`))).toHaveLength(1);
    for (let job = 0; job < 20; job++) {
      const owners = all.filter((one) => one.ownsJob(`t${tenant}`, `compact/${job}`));
      expect(owners).toHaveLength(1);
      shares[all.indexOf(owners[0])]++;
    }
  }
  for (const share of shares) expect(share).toBeGreaterThan(100);
});
