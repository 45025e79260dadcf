import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { disjointStores } from './disjoint-stores.ts';
import type { RemoteStore } from './remote-stores.ts';

function store(
  address: string,
  labelSets: readonly Record<string, string>[],
  given: Partial<RemoteStore> = {},
) {
  return {
    address,
    members: [address],
    healthy: true,
    lastError: '',
    labelSets: labelSets.map((labels) => encodeLabels(Labels.from(labels))),
    mint: 0,
    maxt: 100,
    hasExemplars: false,
    hasQueries: true,
    ...given,
  };
}

const ALL = { matchers: [new Matcher('=', '__name__', 'up')], mint: 0, maxt: 100 };

test('stores stand alone when a label keeps each from all others, replica labels not counted', () => {
  const stores = [
    store('a', [{ cluster: 'eu', replica: '0' }]),
    store('b', [{ cluster: 'us', replica: '0' }]),
    store('c', [{ cluster: 'us', replica: '1' }]),
  ];
  expect(disjointStores(stores, ALL, ['replica'])).toEqual({ alone: ['a'], hasRest: true });
  expect(disjointStores(stores, ALL, [])).toEqual({ alone: ['a', 'b', 'c'], hasRest: false });
});

test('what is not asked keeps nobody from standing alone, and what has no labels everybody', () => {
  const [eu, sidecar] = [
    store('eu', [{ cluster: 'eu' }]),
    store('sidecar', [{ cluster: 'eu' }], { hasQueries: false }),
  ];
  expect(disjointStores([eu, sidecar], ALL, []).alone).toEqual([]);
  expect(disjointStores([eu, { ...sidecar, mint: 101, maxt: 200 }], ALL, [])).toEqual({
    alone: ['eu'],
    hasRest: false,
  });
  const us = store('us', [{ cluster: 'us' }]);
  expect(disjointStores([eu, us, store('unknown', [])], ALL, []).alone).toEqual([]);
  const inUs = { ...ALL, matchers: [...ALL.matchers, new Matcher('=', 'cluster', 'us')] };
  expect(disjointStores([eu, us], inUs, [])).toEqual({ alone: ['us'], hasRest: false });
  expect(disjointStores([eu, { ...us, healthy: false }], ALL, [])).toEqual({ alone: ['eu'], hasRest: true });
});

test('different labels may keep a store from different others', () => {
  const stores = [
    store('a', [{ cluster: 'eu', zone: '1' }]),
    store('b', [{ cluster: 'us' }]),
    store('c', [{ zone: '2' }]),
  ];
  expect(disjointStores(stores, ALL, [])).toEqual({ alone: ['a'], hasRest: true });
});

test('a store that stands alone shares no series with another, whatever label sets there are', () => {
  const value = fc.constantFrom('0', '1', '2');
  const labelSet = fc.record({ a: value, b: value, r: value }, { requiredKeys: [] });
  const labelSets = fc.array(fc.array(labelSet, { maxLength: 3 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(labelSets, (sets) => {
      const stores = sets.map((own, i) => store(String(i), own));
      const { alone } = disjointStores(stores, ALL, ['r']);
      for (const address of alone)
        for (const [i, others] of sets.entries()) {
          if (String(i) === address) continue;
          const own = sets[Number(address)];
          expect(own.length * others.length).toBeGreaterThan(0);
          for (const one of own)
            for (const other of others)
              expect([one.a, one.b].some((mine, k) => differs(mine, [other.a, other.b][k]))).toBe(true);
        }
    }),
  );
});

const differs = (a: string | undefined, b: string | undefined) =>
  a !== undefined && b !== undefined && a !== b;

test('among very many stores the label that tells them apart is found at once', () => {
  const stores = Array.from({ length: 1000 }, (_, i) => store(`s${i}`, [{ job: 'all', cluster: `c${i}` }]));
  expect(disjointStores(stores, ALL, [])).toEqual({
    alone: stores.map(({ address }) => address),
    hasRest: false,
  });
});
