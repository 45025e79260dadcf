import { expect, test } from 'vitest';
import { compareWithPeer, type PeerName } from './comparison.ts';

async function differences(peer: PeerName, queries: number): Promise<string[]> {
  const found: string[] = [];
  const counts = await compareWithPeer({
    seed: 7,
    queries,
    peer,
    queriesPerData: peer === 'prometheus' ? 750 : 50,
    concurrency: peer === 'prometheus' ? 8 : 1,
    progress: () => {},
    failure: (text) => found.push(text),
  });
  // Most queries must have something to compare.
  expect(counts.same - counts.empty - counts.errors).toBeGreaterThan(queries / 4);
  return found;
}

test('the engine answers generated queries as Prometheus 2.42 does', { timeout: 120_000 }, async () => {
  expect(await differences('prometheus', 1500)).toEqual([]);
});
