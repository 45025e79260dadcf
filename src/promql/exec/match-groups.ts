import type { Batch } from './batch.ts';
import { GroupTable } from './group-table.ts';
import type { LabelGrouping } from './label-grouping.ts';
import type { QueryContext } from './query-context.ts';

/** The two sides of a join. Each row of "many" meets at most one row of "one" at a step. */
export interface JoinSides {
  readonly many: Batch;
  readonly one: Batch;
}

/** The number of the match group of every row, of both sides. */
export interface MatchGroups {
  readonly many: Int32Array;
  readonly one: Int32Array;
  readonly count: number;
}

/** Numbers the match groups once; what follows are loops over steps. */
export function matchGroups(
  context: QueryContext,
  { many, one }: JoinSides,
  grouping: LabelGrouping,
): MatchGroups {
  const table = new GroupTable(grouping);
  const groupsOf = (batch: Batch) => {
    const groups = new Int32Array(batch.count);
    for (let row = 0; row < batch.count; row++) {
      context.workedOn(0);
      groups[row] = table.idOf(batch.labels, row);
    }
    return groups;
  };
  return { many: groupsOf(many), one: groupsOf(one), count: table.count };
}
