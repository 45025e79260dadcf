import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PostingsGroup, PostingsPlaces } from './postings-group.ts';

/** Few values close together, and some far apart. */
const value = fc.oneof(
  fc.integer({ min: 0, max: 20 }),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.constantFrom(2 ** 32 - 1, 0),
);
const labels = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 5 }), value), {
  selector: ([name]) => name,
  maxLength: 5,
});

test('lists are those of a map of maps, ordered by name and value', () => {
  fc.assert(
    fc.property(fc.array(labels, { maxLength: 60 }), fc.subarray([0, 1, 2, 3, 4, 5]), (series, names) => {
      const counts = new Map<number, number>();
      for (const [name] of series.flat()) counts.set(name, (counts.get(name) ?? 0) + 1);
      const group = new PostingsGroup(names, (name) => counts.get(name) ?? 0);
      const expected = new Map<string, { name: number; value: number; refs: number[] }>();
      for (const [i, list] of series.entries())
        for (const [name, value] of list) {
          group.add(name, value, 7 * i);
          if (!names.includes(name)) continue;
          const known = expected.get(`${name} ${value}`) ?? { name, value, refs: [] };
          known.refs.push(7 * i);
          expected.set(`${name} ${value}`, known);
        }
      expect(group.isComplete).toBe(true);
      const found = [];
      for (const list of group.lists()) found.push({ ...list, refs: [...list.refs] });
      const ordered = [...expected.values()].sort((a, b) => a.name - b.name || a.value - b.value);
      expect(found).toEqual(ordered);
    }),
    { numRuns: 500 },
  );
});

test('places are kept over many pieces', () => {
  const places = new PostingsPlaces();
  const count = 150_000;
  for (let i = 0; i < count; i++) places.push(i % 7, 2 ** 32 - 1 - i, 2 ** 40 + i);
  expect(places.count).toBe(count);
  for (const i of [0, 65_535, 65_536, count - 1])
    expect([places.nameAt(i), places.valueAt(i), places.offsetAt(i)]).toEqual([
      i % 7,
      2 ** 32 - 1 - i,
      2 ** 40 + i,
    ]);
});
