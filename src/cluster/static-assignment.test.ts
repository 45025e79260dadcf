import fc from 'fast-check';
import { expect, test } from 'vitest';
import { staticAssignment } from './static-assignment.ts';

const KEYS = Array.from({ length: 6000 }, (_, i) => `tenant-${i % 7}\n${i}`);

function ownersOf(key: string, instances: number, replicationFactor: number): number[] {
  return Array.from({ length: instances }, (_, instance) => instance).filter((instance) =>
    staticAssignment({ instance, instances, replicationFactor }).owns(key),
  );
}

test('every key has as many owners as it should, all of them when there are fewer', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 5 }),
      (key, n, factor) => {
        expect(ownersOf(key, n, factor)).toHaveLength(Math.min(n, factor));
      },
    ),
    { numRuns: 300 },
  );
});

test('each instance has its share, and so has each pair of replicas', () => {
  const shares = new Map<string, number>();
  for (const key of KEYS) {
    const pair = ownersOf(key, 4, 2);
    for (const name of [...pair.map(String), pair.join()]) shares.set(name, (shares.get(name) ?? 0) + 1);
  }
  for (let i = 0; i < 4; i++) {
    expect(shares.get(String(i))).toBeGreaterThan(0.94 * (KEYS.length / 2));
    expect(shares.get(String(i))).toBeLessThan(1.06 * (KEYS.length / 2));
    for (let j = i + 1; j < 4; j++) expect(shares.get(`${i},${j}`)).toBeGreaterThan(0.85 * (KEYS.length / 6));
  }
});

test('one more instance takes its share of the others, and nothing moves between these', () => {
  for (const factor of [1, 2]) {
    let moved = 0;
    for (const key of KEYS) {
      const [before, after] = [ownersOf(key, 4, factor), ownersOf(key, 5, factor)];
      const kept = after.filter((instance) => instance !== 4);
      expect(before).toEqual(expect.arrayContaining(kept));
      if (after.includes(4)) moved++;
    }
    expect(moved).toBeGreaterThan(0.9 * ((KEYS.length * factor) / 5));
    expect(moved).toBeLessThan(1.1 * ((KEYS.length * factor) / 5));
  }
});

test('who owns what is the same in every version', () => {
  const keys = ['', 'a', 'team-a\n19675', 'anonymous', 'ünïcode', 'tenant\ncompact/0-1'];
  expect(keys.map((key) => ownersOf(key, 5, 2).join())).toMatchInlineSnapshot(`
    [
      "0,1",
      "0,4",
      "0,2",
      "2,4",
      "1,3",
      "2,4",
    ]
  `);
});
