import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Labels } from '../../model/labels.ts';
import { GroupTable } from './group-table.ts';
import { LabelColumn } from './label-column.ts';
import { LabelGrouping } from './label-grouping.ts';

const name = fc.constantFrom('__name__', '__type__', 'a', 'b', 'le', 'é', 'n'.repeat(130));
const value = fc.oneof(fc.constantFrom('', 'x', 'y', 'z'.repeat(200)), fc.string({ maxLength: 3 }));
const labelSets = fc.array(
  fc.array(fc.tuple(name, value), { maxLength: 5 }).map((pairs) => Labels.from(pairs)),
  {
    maxLength: 60,
  },
);
const groupings = fc.record({
  names: fc.uniqueArray(name, { maxLength: 3 }),
  without: fc.boolean(),
  nameCounts: fc.boolean(),
  hidden: fc.boolean(),
});

test('rows have the same number exactly when the labels that count are equal', () => {
  fc.assert(
    fc.property(labelSets, groupings, (sets, { names, without, nameCounts, hidden }) => {
      const grouping = new LabelGrouping(names, without, nameCounts);
      const all = LabelColumn.from(sets);
      const column = hidden ? all.withoutMetadata() : all;
      const table = new GroupTable(grouping);
      const idOf = new Map<string, number>();
      for (let row = 0; row < column.count; row++) {
        const key = grouping.labelsOf(column, row).key();
        const expected = idOf.get(key) ?? idOf.size;
        expect(table.find(column, row)).toBe(idOf.get(key) ?? -1);
        idOf.set(key, expected);
        expect(table.idOf(column, row)).toBe(expected);
      }
      expect(table.count).toBe(idOf.size);
    }),
  );
});

test('a projected column has the labels that count', () => {
  fc.assert(
    fc.property(labelSets, groupings, (sets, { names, without, nameCounts, hidden }) => {
      const grouping = new LabelGrouping(names, without, nameCounts);
      const all = LabelColumn.from(sets);
      const column = hidden ? all.withoutMetadata() : all;
      const projected = column.project(grouping).toArray();
      expect(projected.map(String)).toEqual(sets.map((_, row) => String(grouping.labelsOf(column, row))));
    }),
  );
});
