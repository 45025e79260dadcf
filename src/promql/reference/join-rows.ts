import { VeronaError } from '../../model/errors.ts';
import type { Labels } from '../../model/labels.ts';
import type { Row } from './rows.ts';

/** Rows with the same labels become one; they must not both have something at a step. */
export function joinRows(rows: readonly Row[]): readonly Row[] {
  const joined = new Map<string, Row>();
  for (const row of rows) {
    const known = joined.get(row.labels.key());
    if (known === undefined) {
      joined.set(row.labels.key(), row);
      continue;
    }
    const points = known.points.map((point, step) => {
      const other = row.points[step];
      if (point !== undefined && other !== undefined) throw sameLabels();
      return point ?? other;
    });
    joined.set(row.labels.key(), { ...known, points });
  }
  return [...joined.values()];
}

export function requireDistinct(labels: readonly Labels[]): void {
  if (new Set(labels.map((set) => set.key())).size !== labels.length) throw sameLabels();
}

function sameLabels(): VeronaError {
  return new VeronaError('execution', 'vector cannot contain metrics with the same labelset');
}
